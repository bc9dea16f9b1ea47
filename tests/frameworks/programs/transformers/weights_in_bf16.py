"""Train weights that are themselves in bfloat16, at a rate that they round away.

Expect: still; model.*norm.weight; rounded away;
"""

# Reported in: https://github.com/meta-pytorch/torchtune/issues/2254

import tempfile

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

set_seed(0)
config = LlamaConfig(
    vocab_size=31,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=16,
)
model = LlamaForCausalLM(config).to(torch.bfloat16)
data = [{"input_ids": x, "labels": x} for x in torch.randint(3, 31, (32, 8)).unbind()]
arguments = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    disable_tqdm=True,
    save_strategy="no",
    logging_steps=1,
    max_steps=3,
    per_device_train_batch_size=4,
    learning_rate=2e-5,
    bf16=True,
)
trainer = Trainer(model, arguments, train_dataset=data)
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
norms = {name for name in before if name.endswith("norm.weight")}
assert len(norms) == 5
assert changed == before.keys() - norms
