"""Silence the error about a loss without a graph by making a new tensor of the loss.

Expect: nothing trains; *; ;
Expect: cut; model.*; torch.tensor(); blame
"""

# Reported in: https://github.com/speechbrain/speechbrain/issues/735

import tempfile
import warnings

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

set_seed(0)
warnings.filterwarnings("ignore", "To copy construct")


class WeightedTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, **others):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        weight = torch.tensor([1.0, 2.0, 2.0])
        loss = torch.nn.functional.cross_entropy(outputs.logits, labels, weight)
        loss = torch.tensor(loss, requires_grad=True)  # blame
        return (loss, outputs) if return_outputs else loss


config = BertConfig(
    vocab_size=31,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=16,
    num_labels=3,
)
model = BertForSequenceClassification(config)
data = [
    {"input_ids": torch.randint(3, 31, (8,)), "labels": torch.tensor(i % 3)}
    for i in range(32)
]
arguments = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    disable_tqdm=True,
    save_strategy="no",
    logging_steps=1,
    max_steps=3,
    per_device_train_batch_size=4,
    learning_rate=1e-3,
)
trainer = WeightedTrainer(model, arguments, train_dataset=data)
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert trainer.state.global_step == 3
assert not changed
assert all(p.grad is None for p in model.parameters())
