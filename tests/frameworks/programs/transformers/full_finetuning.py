"""Fine-tune BERT, after an evaluation, with accumulation and a first rate of 0."""

import hashlib
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
    max_steps=4,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=2,
    learning_rate=1e-3,
    weight_decay=0.01,
    warmup_steps=2,
)
trainer = Trainer(model, arguments, train_dataset=data, eval_dataset=data[:8])
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
print("evaluation", trainer.evaluate()["eval_loss"])
trainer.train()

print(
    "losses", [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
)
weights = str([p.tolist() for p in model.parameters()])
print("weights", hashlib.sha256(weights.encode()).hexdigest())
rates = [
    entry["learning_rate"] for entry in trainer.state.log_history if "loss" in entry
]
assert rates[0] == 0 < rates[1]
for name, parameter in model.named_parameters():
    assert not torch.equal(parameter, before[name]), name
