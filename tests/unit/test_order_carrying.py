"""What an order takes along into its next run is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from worker.workflows.carrying import Seen


@given(ids=st.lists(st.text(max_size=2), unique=True), most=st.integers(1, 10), half=st.integers(0, 30))
def test_the_latest_events_are_remembered_also_by_the_next_run(ids: list[str], most: int, half: int) -> None:
    seen = Seen(most=most)
    for event_id in ids[:half]:
        seen.add(event_id)
    seen = Seen(list(seen), most=most)
    for event_id in ids[half:]:
        assert event_id not in seen
        seen.add(event_id)
    assert list(seen) == ids[-most:]
    for event_id in ids:
        assert (event_id in seen) == (event_id in ids[-most:])
        seen.discard(event_id)
    assert list(seen) == []
