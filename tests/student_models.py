"""Models for texts alone that were taught the space of a model for pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from indexer.core.records import FloatArray
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.paired import PHRASES

GERMAN = {"red": "rot", "dress": "kleid", "shoes": "schuhe", "table": "tisch", "a": "ein"}
"""What a student is taught to read as the teacher reads the English word."""


def student(texts: Sequence[str], folder: Path, translations: Mapping[str, str] = GERMAN) -> Path:
    """A text model that was taught the packaged model's vectors, in two languages.

    A vector a word, so that texts are means of them; by least squares on texts and phrases.
    """
    texts = [text.lower() for text in texts]
    texts += [f"a {word}" for text in texts for word in text.split()] + list(PHRASES)
    teacher = SentenceTransformerEncoder("pocket", device="cpu", precision="float32")
    vectors = teacher.embed_texts(texts)
    both = texts + [
        " ".join(translations.get(word, word) for word in text.split()) for text in texts
    ]
    words = sorted({word for text in both for word in text.split()})
    counts = np.array([[text.split().count(word) for word in words] for text in both], np.float32)
    counts /= counts.sum(axis=1, keepdims=True)
    targets = np.concatenate([vectors, vectors])
    ridge = counts.T @ counts + 1e-4 * np.eye(len(words), dtype=np.float32)
    return word_model(words, np.linalg.solve(ridge, counts.T @ targets), folder)


def word_model(words: Sequence[str], weights: FloatArray, folder: Path) -> Path:
    """A model of sentence-transformers that has a vector for each word."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {word: number for number, word in enumerate([*words, "[UNK]"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    unknown = weights.mean(axis=0, keepdims=True)
    module = StaticEmbedding(tokenizer, embedding_weights=np.concatenate([weights, unknown]))
    SentenceTransformer(modules=[module], device="cpu").save(str(folder))
    return folder


def multilingual(folder: Path, *, width: int, longest: int = 128) -> Path:
    """A small model in the layout of clip-ViT-B-32-multilingual-v1, with random weights.

    A DistilBERT in the root, its weights pickled, and beside it a mean and a dense layer, as
    sentence-transformers wrote them in 2021.
    """
    import torch
    from transformers import BertTokenizer, DistilBertConfig, DistilBertModel

    torch.manual_seed(7)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("äöüß0123456789.,-")
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{one}" for one in letters),
    ]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    settings = DistilBertConfig(
        vocab_size=len(pieces), dim=32, hidden_dim=64, n_layers=2, n_heads=4,
        max_position_embeddings=512,
    )  # fmt: skip
    model = DistilBertModel(settings)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(4)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    BertTokenizer(vocab=vocabulary, do_lower_case=False, model_max_length=512).save_pretrained(
        folder
    )
    _write(folder / "sentence_bert_config.json", max_seq_length=longest, do_lower_case=False)
    pooling = folder / "1_Pooling"
    pooling.mkdir()
    modes = {"cls_token": False, "mean_tokens": True, "max_tokens": False}
    modes |= {"mean_sqrt_len_tokens": False}
    _write(
        pooling / "config.json",
        word_embedding_dimension=32,
        **{f"pooling_mode_{mode}": on for mode, on in modes.items()},
    )
    dense = folder / "2_Dense"
    dense.mkdir()
    identity = "torch.nn.modules.linear.Identity"
    _write(
        dense / "config.json",
        in_features=32, out_features=width, bias=False, activation_function=identity,
    )  # fmt: skip
    torch.save({"linear.weight": torch.randn(width, 32)}, dense / "pytorch_model.bin")
    parts = {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense"}
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, (path, kind) in enumerate(parts.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.7.0", "pytorch": "1.9.0"}
    _write(folder / "config_sentence_transformers.json", __version__=versions)
    return folder


def _write(file: Path, **values: object) -> None:
    file.write_text(json.dumps(values))
