"""Add tokens to a vocabulary, and train with LoRA, which freezes their embeddings.

Expect row: frozen; model.*embed_tokens.weight; ;
Expect row: frozen; model.*lm_head.weight; ;
"""

# Asked in: https://github.com/Code-kunkun/LamRA/issues/4

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
base = LlamaForCausalLM(config)
base.resize_token_embeddings(33, mean_resizing=False)
lora = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"])
model = get_peft_model(base, lora)
data = [{"input_ids": x, "labels": x} for x in torch.randint(3, 33, (32, 8)).unbind()]
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
trainer = Trainer(model, arguments, train_dataset=data)
trainer.remove_callback(PrinterCallback)
before = {name: p.detach().clone() for name, p in model.named_parameters()}
trainer.train()

changed = {
    name
    for name, parameter in model.named_parameters()
    if not torch.equal(parameter, before[name])
}
assert len(changed) == 8
assert all("lora_" in name for name in changed)
assert not base.get_input_embeddings().weight.requires_grad
assert not base.get_output_embeddings().weight.requires_grad
