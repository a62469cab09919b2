"""The states of a code against a small model, in random orders of steps, deliveries and crashes, on a real Redis.

A crash is a step that never comes: no COMMIT and no ABORT after RESERVE, no ACQUIRE or no FINISH after CLAIM, no
acknowledgement after FINISH. The queue delivers in any order, late, twice, or never. All requests are of one mobile.
Two vendors answer as they like, attempt after attempt; after a refusal the worker may ask the other one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from chassis.errors import SmsCodeExpired
from chassis.mobiles import Mobile
from sms_service.codes.keys import current_code_prefix, job_key
from sms_service.codes.purposes import Purpose
from sms_service.codes.reservation import Reservation
from sms_service.codes.sms_codes import SmsCodes
from sms_service.providers.provider import Outcome, ProviderAnswer
from sms_service.queue.job import SendJob
from sms_service.routing.breaker import CircuitBreaker, JobOver, JobTaken, Send
from sms_service.routing.routes import Pace
from sms_service.settings import Settings
from sms_service.worker.decisions import End, Step, after_answer, after_claim
from sms_service.worker.job_states import ClaimReason, Finish, FinishState, JobStates

MOBILE, PURPOSE, TRIES = Mobile("+8613800138000"), Purpose.LOGIN, 5
VENDORS = ("first", "second")
NO_CODE = "no code"
MAYBE_TEXTED = (Outcome.ACCEPTED, Outcome.UNCERTAIN)
OUTCOMES = [*Outcome, Outcome.REFUSED_BUSY, Outcome.NOT_SENT]  # The deep states lie behind several retries.
OUTCOMES_OF_ATTEMPTS = [*Outcome, *[Outcome.REFUSED_BUSY, Outcome.NOT_SENT, Outcome.UNCERTAIN] * 3]
MOST_REQUESTS, MOST_CHECKS = 3, 7


@dataclass
class Request:
    """What the model knows of one request.

    ``idempotent``: the vendors that recognise a repetition; ``possible_texts``: by vendor, the calls that are not
    known to be refused.
    """

    reservation: Reservation
    code: str
    idempotent: frozenset[str]
    is_aborted: bool = False
    is_committed: bool = False
    is_spent: bool = False  # Used, or burnt by wrong tries.
    wrong_tries: int = 0
    possible_texts: Counter[str] = field(default_factory=Counter)
    claims_won: set[int] = field(default_factory=set)
    sending: int | None = None  # The attempt between its CLAIM and its FINISH.

    def job(self, attempt: int) -> SendJob:
        expires_at = self.reservation.expires_at
        return SendJob(self.reservation.job_id, self.reservation.mobile_hash, attempt, expires_at, "a-request")


@dataclass(frozen=True)
class Message:
    """A copy of a job on the queue, or in a worker's hand and then handed to a vendor as ``send``."""

    request: Request
    attempt: int
    send: Send | None = None


class CodeMachine(RuleBasedStateMachine):
    """Drives the scripts as API, queue and workers do; ``current`` is the request whose code is the valid one."""

    def __init__(self, redis: Redis, make_codes: Callable[[Callable[[], str]], SmsCodes], jobs: JobStates) -> None:
        super().__init__()
        redis.flushall()
        self.redis, self.codes, self.jobs = redis, make_codes(lambda: f"{len(self.requests):06d}"), jobs
        pace = Pace(sends_per_second=1000, parallel_sends=1000)
        self.breaker = CircuitBreaker(redis, dict.fromkeys(VENDORS, pace))
        self.requests: list[Request] = []
        self.unpublished: list[Request] = []
        self.unanswered: list[Request] = []
        self.queue: list[Message] = []
        self.in_hand: list[Message] = []
        self.checks = 0
        self.current: Request | None = None

    def is_at_rest(self) -> bool:
        return not (self.unpublished or self.unanswered or self.queue or self.in_hand)

    def take(self, data: st.DataObject, which: list) -> Request | Message:
        return which.pop(data.draw(st.integers(0, len(which) - 1)))

    @precondition(lambda self: len(self.requests) < MOST_REQUESTS or self.is_at_rest())
    @rule(idempotent=st.frozensets(st.sampled_from(VENDORS)))
    def reserve(self, idempotent: frozenset[str]) -> None:
        self.redis.delete(*self.redis.keys("sms:cool:*"), "none")  # The resend interval is over.
        code = f"{len(self.requests):06d}"
        reservation = self.codes.reserve(MOBILE, PURPOSE, subject="", ip="192.0.2.1")
        self.requests.append(Request(reservation, code, idempotent))
        self.unpublished.append(self.requests[-1])

    @precondition(lambda self: self.unpublished)
    @rule(data=st.data(), copies=st.integers(0, 2))
    def publish(self, data: st.DataObject, copies: int) -> None:
        request = self.take(data, self.unpublished)
        self.queue += [Message(request, 0)] * copies
        self.unanswered.append(request)

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        request = self.take(data, self.unanswered)
        request.is_committed = self.codes.commit(request.reservation) == "committed"
        assert request.is_committed == (not request.claims_won), "COMMIT wins unless CLAIM was faster"
        if request.is_committed:
            self.current = request

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        request = self.take(data, self.unanswered)
        request.is_aborted = self.codes.abort(request.reservation) == "aborted"
        assert request.is_aborted == (not request.claims_won), "ABORT wins unless CLAIM was faster"

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), dies_before_asking=st.booleans(), vendor=st.sampled_from(VENDORS))
    def deliver(self, data: st.DataObject, dies_before_asking: bool, vendor: str) -> None:
        message = self.take(data, self.queue)
        request = message.request
        claim = self.jobs.claim(request.job(message.attempt))
        if claim.reason is ClaimReason.WON:
            self.claim_won(message)
        else:
            assert (claim.reason is ClaimReason.ABORTED) == request.is_aborted
            is_fresh = message.attempt == 0 and not request.claims_won and not request.is_aborted
            assert not (is_fresh and (not request.is_committed or request is self.current)), "the first CLAIM wins"
        if claim.job is not None:
            assert (claim.job.mobile, claim.job.code) == (MOBILE, request.code)
        earlier = claim.job.provider if claim.job else ""
        step = after_claim(claim, repeats_safely=earlier in request.idempotent, useful_lifetime_seconds=30)
        if step is Step.SEND:
            assert not request.is_aborted, "nothing is sent after ABORT won"
            if dies_before_asking:
                self.queue.append(message)
            else:
                self.ask(message, earlier or vendor, is_repetition=earlier != "")
        elif step is Step.REQUEUE:
            self.queue.append(Message(request, claim.attempt))
        elif step is Step.GIVE_UP:
            self.finish(message, End(FinishState.UNCERTAIN), earlier, Outcome.UNCERTAIN)

    def ask(self, message: Message, vendor: str, *, is_repetition: bool) -> None:
        request = message.request
        self.redis.delete(f"sms:provider:{vendor}")  # However it did before, its breaker is closed.
        send = Send(request.job(message.attempt), vendor, is_repetition)
        try:
            self.breaker.acquire(send)
        except JobTaken:
            self.queue.append(message)  # The worker handles it anew.
            return
        except JobOver:
            return
        assert not +request.possible_texts or set(+request.possible_texts) == {vendor}, "another vendor may have texted"
        request.possible_texts[vendor] += 1
        self.in_hand.append(Message(request, message.attempt, send))

    def claim_won(self, message: Message) -> None:
        request = message.request
        assert message.attempt not in request.claims_won, "an attempt has one winner"
        assert not request.is_aborted
        assert not request.is_spent
        assert request is self.current or not (request.is_committed or request.claims_won), "a newer code is valid"
        request.claims_won.add(message.attempt)
        request.sending = message.attempt
        self.current = request

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def crash_before_finish(self, data: st.DataObject, outcome: Outcome) -> None:
        message = self.take(data, self.in_hand)
        self.record(message, outcome)
        self.queue.append(Message(message.request, message.attempt))

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), outcome=st.sampled_from([each for each in Outcome if each.lets_others_try]))
    def refuse_and_ask_the_other(self, data: st.DataObject, outcome: Outcome) -> None:
        message = self.take(data, self.in_hand)
        self.record(message, outcome)
        if message.send.is_repetition:
            self.queue.append(message)  # The other one is not asked; the worker died.
            return
        [other] = set(VENDORS) - {message.send.provider}
        self.ask(message, other, is_repetition=False)

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES), handed_over=st.booleans(), acknowledged=st.booleans())
    def answer(self, data: st.DataObject, outcome: Outcome, handed_over: bool, acknowledged: bool) -> None:
        message = self.take(data, self.in_hand)
        request, vendor = message.request, message.send.provider
        self.record(message, outcome)
        end = after_answer(
            outcome, was_uncertain=message.send.is_repetition, attempt=message.attempt,
            repeats_safely=vendor in request.idempotent, left_seconds=300, useful_lifetime_seconds=30,
        )  # fmt: skip
        state = self.finish(message, end, vendor, outcome)
        is_retried = end.state is FinishState.RETRY and state in ("finished", "retry")
        if is_retried and (handed_over or acknowledged):  # Acknowledged last.
            self.queue.append(Message(request, message.attempt + 1))
        if not acknowledged:
            self.queue.append(message)

    def record(self, message: Message, outcome: Outcome) -> None:
        self.breaker.record(message.send, ProviderAnswer(outcome))
        message.request.possible_texts[message.send.provider] -= outcome not in MAYBE_TEXTED

    def finish(self, message: Message, end: End, vendor: str, outcome: Outcome) -> str:
        finish = Finish(end.state, outcome, vendor, releases_cooldown=end.releases_cooldown)
        state = self.jobs.finish(message.request.job(message.attempt), finish)
        if state == "finished":
            is_own = message.request.sending == message.attempt
            assert is_own or end.state is FinishState.SENT, "only the truth that a text went out comes late"
            message.request.sending = None
            if end.state is FinishState.FAILED and self.current is message.request:
                self.current = None
        return state

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data())
    def crash_in_mid_send(self, data: st.DataObject) -> None:
        self.queue.append(self.take(data, self.in_hand))

    @precondition(lambda self: self.requests and self.checks < MOST_CHECKS)
    @rule(data=st.data(), is_wrong=st.booleans())
    def check(self, data: st.DataObject, is_wrong: bool) -> None:
        self.checks += 1
        request = data.draw(st.sampled_from(self.requests))
        self.try_code(NO_CODE if is_wrong else request.code)

    def try_code(self, code: str) -> None:
        current = self.current
        try:
            checked = self.codes.check(MOBILE, PURPOSE, code=code, subject="")
        except SmsCodeExpired:
            assert current is None, "the code of the winner is valid"
            return
        assert current is not None, "no code is valid"
        assert checked.is_right == (code == current.code)
        current.wrong_tries += not checked.is_right
        if checked.is_right or current.wrong_tries == TRIES:
            current.is_spent, self.current = True, None
        else:
            assert checked.tries_left == TRIES - current.wrong_tries

    @invariant()
    def the_valid_code_is_the_winners(self) -> None:
        for request in self.requests[:1]:
            current_code = self.redis.get(current_code_prefix(request.reservation.mobile_hash) + PURPOSE)
            assert current_code == (self.current.reservation.job_id if self.current else None)

    @invariant()
    def nobody_is_texted_twice_without_an_idempotency_key(self) -> None:
        texts = [(r.possible_texts[vendor], vendor in r.idempotent) for r in self.requests for vendor in VENDORS]
        assert [times for times, is_idempotent in texts if times > 1 and not is_idempotent] == []

    @invariant()
    def a_text_that_may_have_gone_out_has_a_valid_code(self) -> None:
        for request in self.requests:
            reservation = request.reservation
            state = self.redis.hget(job_key(reservation.mobile_hash, reservation.job_id), "state")
            assert state != "failed" or not +request.possible_texts

    def play_attempt(self, data: st.DataObject, vendor: str, ending: str, outcome: Outcome) -> None:
        """Deliver the one message, if there is one, and end the call that follows, if one does."""
        if self.queue:
            self.deliver(data=data, dies_before_asking=False, vendor=vendor)
        if self.in_hand and ending == "crash_in_mid_send":
            self.crash_in_mid_send(data=data)
        elif self.in_hand and ending == "crash_before_finish":
            self.crash_before_finish(data=data, outcome=outcome)
        elif self.in_hand and ending == "answer":
            self.answer(data=data, outcome=outcome, handed_over=True, acknowledged=True)
        elif self.in_hand and outcome.lets_others_try:
            self.refuse_and_ask_the_other(data=data, outcome=outcome)
        self.the_valid_code_is_the_winners()
        self.nobody_is_texted_twice_without_an_idempotency_key()
        self.a_text_that_may_have_gone_out_has_a_valid_code()

    def teardown(self) -> None:
        for request in sorted(self.requests, key=lambda each: each is not self.current):
            self.try_code(request.code)


# The same examples at every run, so that a change fails a run and chance does not.
REPEATABLE = settings(deadline=None, derandomize=True, database=None)


@pytest.fixture
def make_machine(redis, keys, make_settings, make_job_states) -> Callable[[], CodeMachine]:
    raised = {name: 1000 for name in Settings.model_fields if name.startswith("sends_per")}
    limits = make_settings(**raised)
    return lambda: CodeMachine(redis, lambda draw: SmsCodes(redis, keys, limits, draw=draw), make_job_states())


def test_codes_keep_their_promises_in_any_order_of_steps(make_machine) -> None:
    bounds = settings(REPEATABLE, max_examples=300, stateful_step_count=50)
    run_state_machine_as_test(make_machine, settings=bounds)


ENDINGS = ("answer", "answer", "refuse_and_ask_the_other", "crash_before_finish", "crash_in_mid_send")
ATTEMPTS = st.tuples(st.sampled_from(VENDORS), st.sampled_from(ENDINGS), st.sampled_from(OUTCOMES_OF_ATTEMPTS))


def test_a_text_keeps_its_promises_after_any_history_of_outcomes(make_machine) -> None:
    @settings(REPEATABLE, max_examples=400)
    @given(data=st.data(), idempotent=st.frozensets(st.sampled_from(VENDORS)), history=st.lists(ATTEMPTS, max_size=12))
    def play(data: st.DataObject, idempotent: frozenset[str], history: list[tuple[str, str, Outcome]]) -> None:
        machine = make_machine()
        machine.reserve(idempotent=idempotent)
        machine.publish(data=data, copies=1)
        machine.commit(data=data)
        for vendor, ending, outcome in history:
            machine.play_attempt(data, vendor, ending, outcome)
        machine.teardown()

    play()
