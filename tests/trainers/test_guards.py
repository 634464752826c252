"""Another Megatron-Core than the one that is changed here fails at import, with what to do."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("megatron.core", reason="the train extra is not installed")

from trainers.parallel.guards import VERSION, ChangedUnderneath, guard, source_digest


def one() -> int:
    return 1


def test_the_same_source_passes() -> None:
    guard({"one": source_digest(one)}, {"one": one})


@pytest.mark.parametrize("part", [None, len, test_the_same_source_passes])
def test_another_source_is_named_with_what_to_do(part: object) -> None:
    with pytest.raises(
        ChangedUnderneath, match=f"one is not the one that is changed here.*Install megatron-core=={VERSION}"
    ):
        guard({"one": source_digest(one)}, {"one": part})


def test_the_changes_themselves_are_guarded() -> None:
    import trainers.parallel.megatron_changes as changes

    assert changes.guard is guard


def test_on_cpus_a_device_that_is_set_for_a_block_still_holds() -> None:
    import torch

    from trainers.parallel.cpu_layer import activate_cpu_layer

    activate_cpu_layer()
    # transformers builds its models so; its rotary frequencies were garbage where it did not hold.
    with torch.device("meta"):
        assert torch.arange(3).device.type == "meta"
        assert torch.zeros(2).device.type == "meta"
