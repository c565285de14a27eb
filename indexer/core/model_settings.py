"""How a model is loaded and asked, beside its name; light, since every command's help loads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.core.records import Fingerprint

_DOCUMENTS = ("document", "passage", "corpus")
"""Names of the prompt for what is found, in sentence-transformers' order (``encode_document``)."""

# A commit's SHA-1 in hex; the hash of a local folder's weights has another length.
_COMMIT_DIGITS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """What may be said of a model; what is None is as the model has it.

    Attributes:
        revision: branch, tag or commit of a model on the hub.
        trust_remote_code: run the code that comes with the model.
        truncate_dim: dimensions that vectors are cut to.
        prompt: what is put before items and labels: a name of the model's prompts, or the text.
        query_prompt: what is put before the words of a search.
        text_model: another model, of the same space, that embeds all texts.
    """

    revision: str | None = None
    trust_remote_code: bool = False
    truncate_dim: int | None = None
    prompt: str | None = None
    query_prompt: str | None = None
    text_model: str | None = None

    def of_catalog(self, made_by: Fingerprint) -> ModelSettings:
        """The settings with those that a catalog was made with, where nothing else is asked.

        Args:
            made_by: the catalog's fingerprint; one without probes knows nothing of its model.
        """
        if not made_by.is_probed:
            return self
        commit = made_by.revision if len(made_by.revision) == _COMMIT_DIGITS else None
        return replace(
            self,
            revision=commit if self.revision is None else self.revision,
            truncate_dim=(made_by.width if made_by.truncated else None)
            if self.truncate_dim is None
            else self.truncate_dim,
            prompt=made_by.prompt if self.prompt is None else self.prompt,
            query_prompt=made_by.query_prompt if self.query_prompt is None else self.query_prompt,
            text_model=made_by.text_model or None if self.text_model is None else self.text_model,
        )


AS_THE_MODEL_HAS_IT = ModelSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPrompts:
    """What is put before texts.

    Attributes:
        document: before items and labels.
        query: before the words of a search.
    """

    document: str = ""
    query: str = ""


def text_prompts(
    model_prompts: Mapping[str, str], default: str | None, settings: ModelSettings
) -> TextPrompts:
    """The prompts that are asked for, else the model's own.

    Items and labels get the prompt for documents, as ``encode_document`` has it; where a model
    has none, the one for classification; else its default.

    Args:
        model_prompts: the model's prompts by name.
        default: name of the prompt that it wants before every text.
    """
    fallback = model_prompts.get(default or "", "")
    document_prompts = [model_prompts[name] for name in _DOCUMENTS if model_prompts.get(name)]
    document_prompts += [
        model_prompts[name]
        for name in model_prompts
        if name.lower() == "classification" and model_prompts[name]
    ]
    if default != "query":
        document_prompts.append(fallback)
    document = next(iter(document_prompts), "")
    query = model_prompts.get("query") or fallback
    return TextPrompts(
        document=document
        if settings.prompt is None
        else _prompt_text(settings.prompt, model_prompts),
        query=query
        if settings.query_prompt is None
        else _prompt_text(settings.query_prompt, model_prompts),
    )


def _prompt_text(prompt: str, model_prompts: Mapping[str, str]) -> str:
    return model_prompts.get(prompt, prompt)
