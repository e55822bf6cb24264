"""The order of steps, and what a failure does to those that follow."""

import pytest

from orchestration.records import RunRecord, StepRecord
from orchestration.workflow import Step, execute


class Story:
    """Steps that write down when they ran, and what the record said at each change."""

    def __init__(self) -> None:
        self.record = RunRecord("r", "run")
        self.ran: list[str] = []
        self.saved: list[tuple[str, ...]] = []

    def step(self, name: str, error: BaseException | None = None, always: bool = False) -> Step:
        def act() -> str:
            self.ran.append(name)
            if error:
                raise error
            return f"{name} did it"

        return Step(name, act, always)

    def changed(self) -> None:
        self.saved.append(tuple(step.status for step in self.record.steps))

    def tell(self, *steps: Step) -> None:
        execute(steps, self.record, self.changed)

    @property
    def statuses(self) -> list[str]:
        return [step.status for step in self.record.steps]


@pytest.fixture
def story() -> Story:
    return Story()


def test_steps_run_in_their_order_and_say_what_they_did(story: Story) -> None:
    story.tell(story.step("a"), story.step("b"), story.step("c", always=True))
    assert story.ran == ["a", "b", "c"]
    assert story.statuses == ["done"] * 3
    assert [step.detail for step in story.record.steps] == ["a did it", "b did it", "c did it"]


def test_a_failure_skips_the_rest_but_not_what_runs_always(story: Story) -> None:
    with pytest.raises(ValueError, match="no"):
        story.tell(story.step("a", ValueError("no")), story.step("b"), story.step("c", always=True))
    assert story.ran == ["a", "c"]
    assert story.statuses == ["failed", "skipped", "done"]
    assert story.record.steps[0].detail == "no"


def test_of_two_failures_the_first_is_raised_and_both_are_recorded(story: Story) -> None:
    with pytest.raises(ValueError, match="first"):
        story.tell(
            story.step("a", ValueError("first")),
            story.step("c", KeyError("second"), always=True),
        )
    assert story.statuses == ["failed", "failed"]


def test_a_ctrl_c_is_recorded_like_any_failure_and_raised_as_it_came(story: Story) -> None:
    interrupt = KeyboardInterrupt(15)
    with pytest.raises(KeyboardInterrupt) as caught:
        story.tell(story.step("a", interrupt), story.step("b"))
    assert caught.value is interrupt
    assert story.statuses == ["failed", "skipped"]


def test_after_a_ctrl_c_not_even_what_runs_always_keeps_one_waiting(story: Story) -> None:
    with pytest.raises(KeyboardInterrupt):
        story.tell(story.step("a", KeyboardInterrupt()), story.step("c", always=True))
    assert story.ran == ["a"]
    assert story.statuses == ["failed", "skipped"]


def test_an_error_without_words_is_recorded_by_its_name(story: Story) -> None:
    with pytest.raises(KeyboardInterrupt):
        story.tell(story.step("a", KeyboardInterrupt()))
    assert story.record.steps[0].detail == "interrupted"


def test_the_record_is_saved_at_each_change(story: Story) -> None:
    with pytest.raises(ValueError, match="no"):
        story.tell(story.step("a"), story.step("b", ValueError("no")), story.step("c"))
    assert story.saved == [
        ("running", "waiting", "waiting"),
        ("done", "waiting", "waiting"),
        ("done", "running", "waiting"),
        ("done", "failed", "waiting"),
        ("done", "failed", "skipped"),
    ]


def test_steps_that_ran_have_a_beginning_and_an_end_and_those_skipped_have_none(
    story: Story,
) -> None:
    with pytest.raises(ValueError, match="no"):
        story.tell(story.step("a", ValueError("no")), story.step("b"))
    first, second = story.record.steps
    assert first.started_at
    assert first.finished_at
    assert first.started_at <= first.finished_at
    assert (second.started_at, second.finished_at) == (None, None)


def test_a_record_that_cannot_be_saved_stops_the_run(story: Story) -> None:
    def full() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        execute((story.step("a"), story.step("b")), story.record, full)
    assert story.ran == []


def test_a_step_is_begun_again_as_long_as_that_is_worth_it(story: Story) -> None:
    fails = iter([ValueError("one"), ValueError("two"), None])
    asked = []

    def act() -> str:
        if error := next(fails):
            raise error
        return "at last"

    def try_again(entry: StepRecord, error: BaseException) -> bool:
        asked.append((entry.step, str(error)))
        return True

    execute((Step("build", act),), story.record, story.changed, try_again)
    assert asked == [("build", "one"), ("build", "two")]
    assert story.record.steps[0].detail == "at last"
    assert story.statuses == ["done"]


def test_an_interruption_is_never_tried_again(story: Story) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(
            (story.step("build", KeyboardInterrupt()),), story.record, story.changed,
            lambda entry, error: True,
        )  # fmt: skip
    assert story.ran == ["build"]
