"""Unfreeze a layer in on_train_begin, which runs after the optimizer is built.

Expect: not in optimizer; model.bert.encoder.layer.1.*; nobody applies;
"""

# Reported in: https://github.com/OptimalScale/LMFlow/issues/726

import tempfile

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

set_seed(0)


class Unfreeze(TrainerCallback):
    def on_train_begin(self, args, state, control, model=None, **others):
        model.bert.encoder.layer[1].requires_grad_()


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
model.bert.requires_grad_(False)
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
trainer = Trainer(model, arguments, train_dataset=data, callbacks=[Unfreeze()])
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == {"classifier.weight", "classifier.bias"}
unfrozen = {name for name, p in model.named_parameters() if p.requires_grad}
assert len(unfrozen - changed) == 16
