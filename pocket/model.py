"""The architecture of `pocket`, and the folder it is kept in."""

import json
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    ClapModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
)

IMAGE_SIZE = 64
WIDTH = 256
POSITIONS = 77


def new_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """An untrained CLIP of 3.6 million parameters for this tokenizer."""
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=160,
        intermediate_size=480,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(
        hidden_size=192,
        intermediate_size=576,
        num_hidden_layers=5,
        num_attention_heads=4,
        image_size=IMAGE_SIZE,
        patch_size=8,
        projection_dim=WIDTH,
    )
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=WIDTH
    )
    return CLIPModel(config)


def picture_features(model: CLIPModel, pixels: Tensor, *, keep: float = 1.0) -> Tensor:
    """What the image tower makes of normalised pictures, before the projection.

    Args:
        model: the CLIP.
        pixels: float32 (n, 3, size, size).
        keep: the share of patches looked at, drawn anew for each picture; fewer are
            faster to train on (Li et al., "Scaling Language-Image Pre-training via
            Masking", 2023).

    Returns:
        float (n, hidden size).
    """
    tower = model.vision_model
    tokens = tower.embeddings(pixels)
    if keep < 1.0:
        count, patches = tokens.shape[0], tokens.shape[1] - 1
        order = torch.rand(count, patches).argsort(dim=1)[:, : round(patches * keep)]
        kept = tokens[:, 1:].gather(1, order[..., None].expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([tokens[:, :1], kept], dim=1)
    hidden = tower.encoder(inputs_embeds=tower.pre_layrnorm(tokens)).last_hidden_state
    return tower.post_layernorm(hidden[:, 0])


def project_pictures(model: CLIPModel, features: Tensor) -> Tensor:
    """Unit vectors of pictures' features: float32 (n, WIDTH)."""
    return torch.nn.functional.normalize(model.visual_projection(features).float(), dim=-1)


def embed_texts(
    model: CLIPModel | ClapModel, tokenizer: CLIPTokenizer, texts: list[str], *, chunk: int = 64
) -> Tensor:
    """Unit vectors of texts: float32 (n, WIDTH), in the texts' order.

    Texts of like length are computed together, `chunk` at a time: less padding.
    """
    encoded = tokenizer(texts, truncation=True, max_length=POSITIONS)["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    parts = []
    for start in range(0, len(order), chunk):
        batch = {"input_ids": [encoded[i] for i in order[start : start + chunk]]}
        tokens = tokenizer.pad(batch, return_tensors="pt")
        hidden = model.text_model(**tokens).pooler_output
        parts.append(model.text_projection(hidden).float())
    back = torch.tensor(order).argsort()
    return torch.nn.functional.normalize(torch.cat(parts)[back], dim=-1)


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Writes the model's folder, with weights in half precision that load as float32."""
    folder.mkdir(parents=True, exist_ok=True)
    images = CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    )
    CLIPProcessor(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)
    halved = {name: value.half() for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=halved)
    tidy(folder, "vision_config")


def tidy(folder: Path, tower: str, **tokenizer_fields: None) -> None:
    """Declares float32, which is what a CPU computes in, and drops needless white space.

    Args:
        tower: the configuration beside that of the texts.
        tokenizer_fields: what the tokenizer shall not keep of its last call.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for part in (config, config["text_config"], config[tower]):
        part["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8")) | tokenizer_fields
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
