"""Train LoRA under checkpoints that are not reentrant, and a head beside them."""

import hashlib
import tempfile

import torch
from peft import LoraConfig, get_peft_model
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
lora = LoraConfig(
    task_type="CAUSAL_LM",
    r=2,
    target_modules="all-linear",
    modules_to_save=["lm_head"],
)
model = get_peft_model(LlamaForCausalLM(config), lora)
data = [{"input_ids": x, "labels": x} for x in torch.randint(3, 31, (32, 8)).unbind()]
arguments = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    disable_tqdm=True,
    save_strategy="no",
    logging_steps=1,
    max_steps=3,
    per_device_train_batch_size=4,
    learning_rate=1e-3,
    activation_checkpointing=True,
    activation_checkpointing_kwargs={"use_reentrant": False},
)
trainer = Trainer(model, arguments, train_dataset=data)
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
trainable = {name for name, p in model.named_parameters() if p.requires_grad}
assert len(trainable) == 29
assert changed == trainable
