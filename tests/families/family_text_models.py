"""Checkpoints that sentence-transformers saved: models of texts, routers, prompts."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers as t
from family_checkpoints import TEXT, family, lively, save_clip
from family_tokenizers import wordpiece, xlm_roberta

GEMMA_PROMPTS = {
    "query": "task: search result | query: ",
    "document": "title: none | text: ",
    "Classification": "task: classification | query: ",
}


def bert(kind: Any = t.BertModel, **settings: Any) -> Any:
    """A BERT of words."""
    config = t.BertConfig(**TEXT, vocab_size=len(wordpiece()), max_position_embeddings=64)
    return lively(kind(config, **settings))


def read_back(model: Any, tokenizer: Any) -> list[Any]:
    """Modules of sentence-transformers: a model and the mean of its tokens."""
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        transformer = Transformer(folder)
    return [transformer, Pooling(TEXT["hidden_size"], pooling_mode="mean")]


def save(folder: Path, modules: list[Any], **settings: Any) -> None:
    """A folder as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SentenceTransformer(modules=modules, device="cpu", **settings).save(str(folder))


def _text(folder: Path, *more: Any, **settings: Any) -> None:
    save(folder, [*read_back(bert(), wordpiece()), *more], **settings)


@family("text")
def _(folder: Path) -> None:
    _text(folder)


@family("text-e5")
def _(folder: Path) -> None:
    _text(folder, prompts={"query": "query: ", "passage": "passage: "})


@family("text-gemma")
def _(folder: Path) -> None:
    _text(folder, prompts=GEMMA_PROMPTS)


@family("text-classification-prompt")
def _(folder: Path) -> None:
    _text(folder, prompts={"classification": "sort this: ", "query": "find this: "})


@family("text-default-prompt")
def _(folder: Path) -> None:
    _text(folder, prompts={"s2s": "represent this: "}, default_prompt_name="s2s")


@family("text-matryoshka")
def _(folder: Path) -> None:
    _text(folder, truncate_dim=16)


@family("text-without-pooler")
def _(folder: Path) -> None:
    """Saved by what predicts words: it lacks weights that a mean does not need."""
    _text(folder)
    bert(t.BertForMaskedLM).save_pretrained(folder)


@family("text-t5")
def _(folder: Path) -> None:
    """Words of encoder and model are tied: the file has them once."""
    tokenizer = xlm_roberta()
    config = t.T5Config(
        vocab_size=len(tokenizer),
        d_model=TEXT["hidden_size"],
        d_ff=48,
        d_kv=6,
        num_layers=2,
        num_heads=4,
        pad_token_id=1,
    )
    save(folder, read_back(t.T5EncoderModel(config).eval(), tokenizer))


@family("text-static")
def _(folder: Path) -> None:
    """A table of words, no transformer."""
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    save(folder, [StaticEmbedding(wordpiece().backend_tokenizer, embedding_dim=16)])


@family("text-dense")
def _(folder: Path) -> None:
    """A layer behind the mean, as clip-ViT-B-32-multilingual-v1 has."""
    from sentence_transformers.sentence_transformer.modules import Dense

    plain = torch.nn.Identity()
    _text(folder, Dense(TEXT["hidden_size"], 16, bias=False, activation_function=plain))


@family("router-query-document")
def _(folder: Path) -> None:
    from sentence_transformers.base.modules import Router

    query, document = (read_back(bert(), wordpiece()) for _ in range(2))
    router = Router.for_query_document(query_modules=query, document_modules=document)
    save(folder, [router])


@family("router-text-image")
def _(folder: Path) -> None:
    """Texts by one model, pictures by another."""
    from sentence_transformers.base.modules import Router, Transformer
    from sentence_transformers.sentence_transformer.modules import Dense

    with TemporaryDirectory() as place:
        save_clip(Path(place))
        pictures = Transformer(place)
    plain = torch.nn.Identity()
    words = [
        *read_back(bert(), wordpiece()),
        Dense(TEXT["hidden_size"], 16, activation_function=plain),
    ]
    router = Router(
        {"text": words, "image": [pictures]},
        default_route="text",
        route_mappings={(None, "text"): "text", (None, "image"): "image"},
    )
    save(folder, [router])
