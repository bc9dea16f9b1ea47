"""Distil a teacher, which is neither frozen nor trained, into a smaller student."""

import hashlib
import tempfile

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

set_seed(0)


class Distillation(Trainer):
    def __init__(self, *arguments, teacher, **others):
        super().__init__(*arguments, **others)
        self.teacher = teacher.eval()

    def compute_loss(self, model, inputs, return_outputs=False, **others):
        outputs = model(**inputs)
        with torch.no_grad():
            wanted = self.teacher(**inputs).logits
        loss = outputs.loss + nn.functional.kl_div(
            outputs.logits.log_softmax(-1), wanted.softmax(-1), reduction="batchmean"
        )
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
teacher = BertForSequenceClassification(config)
config.num_hidden_layers = 1
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
trainer = Distillation(model, arguments, train_dataset=data, teacher=teacher)
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

print(
    "losses", [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert changed == before.keys()
assert all(p.requires_grad and p.grad is None for p in teacher.parameters())
