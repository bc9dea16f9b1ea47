"""Build the optimizer first, and replace the head of the model then.

Expect: not in optimizer; model.classifier.*; nobody applies;
Expect: orphan; *; held by the optimizer, not by the model;
"""

# Reported in: https://github.com/huggingface/transformers/pull/3532

import tempfile

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
config = BertConfig(
    vocab_size=31,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=16,
)
model = BertForSequenceClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
old = model.classifier.weight.detach().clone()
model.classifier = torch.nn.Linear(16, 3)
model.num_labels = model.config.num_labels = 3
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
trainer = Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, None))
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
new = {"classifier.weight", "classifier.bias"}
assert changed == before.keys() - new
held = [p for group in optimizer.param_groups for p in group["params"]]
assert any(torch.equal(p, old) for p in held)
