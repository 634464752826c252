"""Greedy answers of a trained model, through transformers: for a look at it, not for serving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from schemas.conversation import Turn
from schemas.errors import WrongCall
from tokenization.chat_template import prompt_ids, stored_template
from tokenization.tokenizer import load_tokenizer
from trainers.model.card import read_card
from trainers.model.families import to_hf_config
from trainers.model.hf_export import hf_tensors, newest_checkpoint


class Answerer:
    """A trained model in memory with its tokenizer and chat template."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM

        self.card = read_card(folder)
        told = to_hf_config(self.card.model, self.card.vocabulary, self.card.sequence_length, "float32")
        config = AutoConfig.for_model(**told)
        self.model: Any = AutoModelForCausalLM.from_config(config).eval()
        tensors = dict(hf_tensors(self.card, newest_checkpoint(folder)))
        if self.card.model.tie_embeddings:
            tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
        self.model.load_state_dict(tensors)
        self.tokenizer = load_tokenizer(folder / "tokenizer" / "tokenizer.json")
        self.template = stored_template(folder / "tokenizer")

    def answer(self, question: str, system: str | None = None, tokens: int = 128) -> tuple[str, bool]:
        """The answer's text, and whether the model ended its turn itself."""
        if self.template is None:
            raise WrongCall("the model was not trained on conversations, so it answers no questions; train ift or sft")
        turns = [Turn(role="system", content=system)] if system else []
        ids = prompt_ids(self.tokenizer, self.template, [*turns, Turn(role="user", content=question)])
        positions = self.card.model.max_positions or self.card.sequence_length
        room = positions - len(ids)
        if room < 1:
            raise WrongCall(
                f"the question has {len(ids):,} tokens, the model sees {positions:,} positions; ask a shorter one"
            )
        tokens = min(tokens, room)
        end = self.tokenizer.tokenizer.token_to_id(self.card.end_of_turn or self.card.end_of_text)
        with torch.no_grad():
            whole = self.model.generate(
                torch.tensor([ids]), max_new_tokens=tokens, do_sample=False, eos_token_id=end, pad_token_id=end
            )
        found = whole[0, len(ids) :].tolist()
        ended = bool(found) and found[-1] == end
        return self.tokenizer.tokenizer.decode(found[:-1] if ended else found), ended
