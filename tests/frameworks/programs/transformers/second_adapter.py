"""Train two adapters in turn with one Trainer, whose optimizer knows only the first.

Expect: not in optimizer; model.*.lora_?.second.weight; nobody applies;
"""

# Reported in: https://github.com/huggingface/peft/issues/1303

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
    target_modules=["q_proj", "v_proj"],
    init_lora_weights=False,  # with B as zeros, the gradient of A would be zero
)
model = get_peft_model(LlamaForCausalLM(config), lora, adapter_name="first")
model.add_adapter("second", lora)
data = [{"input_ids": x, "labels": x} for x in torch.randint(3, 31, (32, 8)).unbind()]
arguments = TrainingArguments(
    output_dir=tempfile.gettempdir(),
    use_cpu=True,
    disable_tqdm=True,
    save_strategy="no",
    logging_steps=1,
    max_steps=1,
    per_device_train_batch_size=4,
    learning_rate=1e-3,
)
trainer = Trainer(model, arguments, train_dataset=data)
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

model.set_adapter("second")
arguments.max_steps = 3
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert len(changed) == 8
assert all(".first." in name for name in changed)
for name, parameter in model.named_parameters():
    assert parameter.requires_grad == (".second." in name)
