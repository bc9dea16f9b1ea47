"""Train LoRA of a ViT under reentrant checkpoints, whose input needs no gradient.

Expect: cut; model.*.lora_?.default.weight; reentrant checkpoint;
"""

# Reported in: https://github.com/huggingface/peft/issues/2880

import tempfile

import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    PrinterCallback,
    Trainer,
    TrainingArguments,
    ViTConfig,
    ViTForImageClassification,
    set_seed,
)

set_seed(0)
config = ViTConfig(
    image_size=8,
    patch_size=4,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_labels=3,
)
lora = LoraConfig(r=2, target_modules="all-linear", modules_to_save=["classifier"])
model = get_peft_model(ViTForImageClassification(config), lora)
data = [
    {"pixel_values": torch.randn(3, 8, 8), "labels": torch.tensor(i % 3)}
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
    activation_checkpointing=True,
    activation_checkpointing_kwargs={"use_reentrant": True},
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
assert len(changed) == 2
assert all("modules_to_save" in name for name in changed)
for name, parameter in model.named_parameters():
    assert ("lora_" in name) == (parameter.requires_grad and name not in changed)
