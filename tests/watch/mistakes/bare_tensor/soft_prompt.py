"""A soft prompt is copied by torch.tensor() on its way into a frozen language model.

Expect: cut; *prompt*; torch.tensor(); # blame
"""

import warnings
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

warnings.filterwarnings("ignore", message="To copy construct")


@dataclass
class SoftPrompt:
    length: int
    width: int
    embeddings: Tensor = field(init=False)

    def __post_init__(self):
        self.embeddings = torch.randn(self.length, self.width).requires_grad_()

    def prepend(self, words):
        prompt = torch.tensor(self.embeddings)  # blame
        return torch.cat([prompt.expand(len(words), -1, -1), words], 1)


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.block = nn.GRU(width, width, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, embedded):
        return self.head(self.block(embedded)[0])


torch.manual_seed(7)
lm = LanguageModel(20, 8)
for name, parameter in lm.named_parameters():
    parameter.requires_grad = name.startswith("head")
soft_prompt = SoftPrompt(4, 8)
optimizer = torch.optim.Adafactor([soft_prompt.embeddings, *lm.head.parameters()])
initial = soft_prompt.embeddings.tolist()
for _ in range(3):
    tokens = torch.randint(20, (6, 5))
    logits = lm(soft_prompt.prepend(lm.words(tokens)))[:, 3:-1]
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print("perplexity", loss.exp().item())
assert soft_prompt.embeddings.tolist() == initial
assert soft_prompt.embeddings.grad is None
