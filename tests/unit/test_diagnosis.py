from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterwatch import oneroster
from rosterwatch.case import Known
from rosterwatch.cause import Severity
from rosterwatch.causes import CAUSES, ORDER
from rosterwatch.diagnosis import diagnose
from rosterwatch.district import SecretFault, SecretTrouble
from rosterwatch.finding import Diagnosis, Status
from rosterwatch.observation import (
    Body,
    BodyKind,
    Collection,
    CollectionState,
    Dialect,
    Exchange,
    Fault,
    Observation,
    Page,
    Phase,
    Redirect,
    SystemInfo,
    Term,
    Token,
    TokenAttempt,
)
from tests.unit.observations import (
    AT,
    CASES,
    HEALTHY,
    KNOWN,
    SUMMER,
    YEAR,
    answer,
    broken,
    collection,
    collections,
    diagnosis_of,
    empty,
    granted,
    oauth,
    page,
    refused,
    secret_fault,
    seen,
    turned_away,
    untested,
)

REFUSAL = turned_away(answer(400, oauth("invalid_client")))


def names(diagnosis: Diagnosis) -> list[str]:
    return [finding.cause.name for finding in diagnosis.findings]


def words(diagnosis: Diagnosis) -> str:
    assert diagnosis.findings
    return "\n".join(diagnosis.findings[0].evidence)


def test_a_visit_that_found_everything_in_order_is_healthy_without_a_finding() -> None:
    assert Diagnosis(Status.HEALTHY) == HEALTHY
    assert HEALTHY.primary is None


@pytest.mark.parametrize("cause", CASES)
def test_a_symptom_comes_out_as_its_cause_with_the_status_of_its_severity(cause: str) -> None:
    diagnosis = diagnosis_of(cause)
    assert names(diagnosis)[0] == cause
    severity = CAUSES[cause].severity
    if CAUSES[cause].scope == "ourselves":
        assert diagnosis.status is Status.UNKNOWN
    else:
        expected = {Severity.PAGE: Status.FAILING, Severity.TICKET: Status.DEGRADED, Severity.NOTE: Status.HEALTHY}
        assert diagnosis.status is expected[severity]
    assert (diagnosis.primary is None) == (severity is Severity.NOTE)


@pytest.mark.parametrize("cause", CASES)
def test_headline_steps_and_evidence_read_as_whole_sentences(cause: str) -> None:
    finding = diagnosis_of(cause).findings[0]
    assert finding.next_steps
    for text in (finding.headline, *finding.next_steps, *finding.evidence):
        assert text.strip() == text != ""
        assert "(unknown" not in text
        assert not set("{}@") & set(text), text
    if CAUSES[cause].severity > Severity.NOTE and cause not in ("shrunk", "clock_skew"):
        assert finding.evidence


def test_what_is_mended_first_comes_first_and_worse_comes_before_milder() -> None:
    diagnosis = diagnose(
        seen(
            collections=collections(
                students=collection("students", CollectionState.DENIED),
                courses=collection("courses", CollectionState.EMPTY),
                demographics=collection("demographics", CollectionState.DENIED),
                users=collection("users", envelope="user"),
            ),
            certificate=answer(401, phase=Phase.CERTIFICATE),
            tls_expires_at=AT + timedelta(days=3),
        ),
        KNOWN,
    )
    assert names(diagnosis) == [
        "permission_missing",
        "collection_empty",
        "api_certificate_wrong",
        "certificate_expiring",
        "envelope_aliased",
        "optional_unreadable",
    ]
    assert diagnosis.status is Status.FAILING
    assert diagnosis.primary is not None
    assert diagnosis.primary.collections == ("students",)


def test_one_finding_names_all_collections_and_all_boxes_of_its_cause() -> None:
    finding = diagnosis_of("permission_missing").findings[0]
    assert finding.collections == ("students", "enrollments")
    assert finding.headline == "No permission to read students and enrollments"
    assert "tick Read for: Student Data > Student Data, Scheduling > Classes." in finding.next_steps[0]


# -- a refused pair ------------------------------------------------------------------------------------------------------------


def test_the_same_pair_that_worked_before_was_revoked_and_the_evidence_says_when_it_worked() -> None:
    diagnosis = diagnose(REFUSAL, replace(KNOWN, pair_worked=True, pair_worked_at=AT - timedelta(hours=2)))
    assert names(diagnosis) == ["credentials_revoked"]
    assert "The same Consumer ID and Secret worked at 2026-10-06 12:05 UTC." in words(diagnosis)
    assert "POST /token: 400 invalid_client, JSON, after 120 ms" in words(diagnosis)


@pytest.mark.parametrize(
    ("worked", "said"), [(False, "This pair has never worked here."), (None, "There is no record of this pair ever working.")]
)
def test_a_pair_that_never_worked_is_wrong(worked: bool | None, said: str) -> None:
    diagnosis = diagnose(REFUSAL, replace(KNOWN, pair_worked=worked))
    assert names(diagnosis) == ["credentials_wrong"]
    assert said in words(diagnosis)


def test_a_secret_changed_after_the_last_good_visit_is_pointed_at() -> None:
    known = replace(KNOWN, pair_worked=False, pair_worked_at=AT - timedelta(hours=2), secret_changed_at=AT - timedelta(hours=1))
    assert "The secret was changed at 2026-10-06 13:05 UTC, after credentials last worked at 2026-10-06 12:05 UTC" in words(
        diagnose(REFUSAL, known)
    )
    earlier = replace(known, secret_changed_at=AT - timedelta(hours=3))
    assert "was changed" not in words(diagnose(REFUSAL, earlier))


def test_an_old_pair_that_still_works_means_roll_back_whatever_else_is_known() -> None:
    known = replace(KNOWN, previous_works=True, pair_worked=True, looks_like_certificate=True)
    assert names(diagnose(REFUSAL, known)) == ["credentials_rotated_badly"]


def test_the_certificate_of_the_same_record_tells_whether_the_record_is_still_there() -> None:
    known = replace(KNOWN, pair_worked=True)
    gone = diagnose(replace(REFUSAL, certificate=answer(401, phase=Phase.CERTIFICATE)), known)
    assert names(gone) == ["credentials_revoked", "api_certificate_wrong"]
    assert "the record itself was deleted" in words(gone)
    there = diagnose(replace(REFUSAL, certificate=answer(200, BodyKind.ARRAY, phase=Phase.CERTIFICATE)), known)
    assert names(there) == ["credentials_revoked"]
    assert "look at its OneRoster box first" in words(there)


def test_known_credentials_that_may_not_use_oneroster_say_when_they_could() -> None:
    visit = turned_away(answer(400, oauth("unauthorized_client")))
    diagnosis = diagnose(visit, replace(KNOWN, pair_worked=True, pair_worked_at=AT - timedelta(hours=2)))
    assert names(diagnosis) == ["client_not_allowed"]
    assert "worked at 2026-10-06 12:05 UTC" in words(diagnosis)


def test_a_verdict_of_oauth_beats_the_missing_page_that_was_tried_before_it() -> None:
    visit = seen(token=refused(answer(404, page(Page.OTHER)), answer(400, oauth("invalid_client"))), collections=untested())
    assert names(diagnose(visit, KNOWN)) == ["credentials_wrong"]


def test_a_renewal_that_is_refused_is_judged_by_the_renewal_and_not_by_the_grant_before_it() -> None:
    attempts = (TokenAttempt("token", answer(), granted=True), TokenAttempt("token", answer(500), granted=False))
    visit = seen(token=Token(attempts, renewed=True), collections=broken(answer(401), *oneroster.REQUIRED))
    assert names(diagnose(visit, KNOWN)) == ["server_error"]


def test_a_missing_token_page_is_a_switch_where_the_site_is_up_and_a_wrong_url_where_it_is_not() -> None:
    assert "systeminfo answers (version 9.24.1.1, school year 2026-2027)" in words(diagnosis_of("oneroster_disabled"))
    assert names(diagnosis_of("wrong_base_url")) == ["wrong_base_url"]
    changed = replace(turned_away(answer(404), system=None), url_changes=("dropped the page 'Login.aspx'",))
    assert "base_url as stored was changed for the visit: dropped the page 'Login.aspx'." in words(diagnose(changed, KNOWN))


# -- the collections -----------------------------------------------------------------------------------------------------------


def test_a_fault_of_one_collection_while_the_others_answer_is_the_collections_own() -> None:
    for exchange in (answer(500, page(Page.CRASH)), Exchange(Phase.COLLECTION, "/users", fault=Fault.READ_TIMEOUT)):
        assert names(diagnose(seen(collections=broken(exchange, "users")), KNOWN)) == ["collection_failing"]
    everywhere = broken(answer(500, page(Page.CRASH)), *oneroster.REQUIRED)
    assert names(diagnose(seen(collections=everywhere), KNOWN)) == ["server_error"]


def test_what_a_throttling_host_was_not_asked_any_more_is_told_as_part_of_the_throttling() -> None:
    rest = {name: collection(name, CollectionState.UNTESTED) for name in oneroster.REQUIRED if name != "orgs"}
    refused = collection("orgs", CollectionState.BROKEN, answer(429, retry_after=120.0))
    [finding] = diagnose(seen(collections=collections(orgs=refused, **rest)), KNOWN).findings
    assert finding.cause.name == "throttled"
    assert finding.collections == oneroster.REQUIRED


def test_a_required_collection_that_was_never_asked_for_is_not_in_order() -> None:
    nothing = diagnose(seen(collections=untested()), KNOWN)
    assert names(nothing) == ["no_answer"]
    assert nothing.status is Status.FAILING
    assert "GET /orgs: not asked, since the visit's time was up" in words(nothing)
    some = diagnose(seen(collections=collections(users=collection("users", CollectionState.UNTESTED))), KNOWN)
    assert names(some) == ["collection_failing"]
    optional = collections(demographics=collection("demographics", CollectionState.UNTESTED))
    assert diagnose(seen(collections=optional), KNOWN) == HEALTHY


def test_all_refused_is_one_missing_permission_of_the_record_and_all_missing_is_another_server() -> None:
    assert names(diagnosis_of("oneroster_not_allowed")) == ["oneroster_not_allowed"]
    one_left = seen(collections=broken(answer(403), *oneroster.REQUIRED[1:]))
    assert names(diagnose(one_left, KNOWN)) == ["permission_missing"]


def test_all_empty_is_no_empty_school_even_in_summer() -> None:
    assert names(diagnose(seen(collections=empty(*oneroster.REQUIRED), terms=YEAR, at=SUMMER), KNOWN)) == ["everything_empty"]


def test_a_single_required_collection_is_not_everything() -> None:
    only = (collection("users", CollectionState.EMPTY),)
    assert names(diagnose(seen(collections=only), KNOWN)) == ["collection_empty"]


def test_empty_students_are_a_note_in_summer_and_a_page_while_school_is_in_session() -> None:
    visit = seen(collections=empty("students", "enrollments"), terms=YEAR)
    summer = diagnose(replace(visit, at=SUMMER), KNOWN)
    assert (names(summer), summer.status) == (["between_school_years"], Status.HEALTHY)
    assert summer.findings[0].next_steps[0].endswith("as soon as a term begins (2026-08-17).")
    autumn = diagnose(visit, KNOWN)
    assert (names(autumn), autumn.status) == (["collection_empty"], Status.FAILING)


def test_what_is_never_empty_is_not_excused_by_the_season() -> None:
    diagnosis = diagnose(seen(collections=empty("students", "schools"), terms=YEAR, at=SUMMER), KNOWN)
    assert names(diagnosis) == ["collection_empty", "between_school_years"]
    assert diagnosis.findings[0].collections == ("schools",)


def test_without_a_calendar_an_empty_collection_is_never_excused() -> None:
    assert names(diagnose(seen(collections=empty("students"), at=SUMMER), KNOWN)) == ["collection_empty"]


def test_an_old_database_as_the_default_is_the_wrong_year_and_not_a_holiday() -> None:
    (finding,) = diagnosis_of("wrong_school_year").findings
    assert finding.headline == "Aeries answers from the wrong school year (2026-2027)"


# -- besides -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "warned"), [(31, False), (30, True), (0, True), (-1, True)])
def test_a_certificate_is_warned_about_thirty_days_ahead(days: int, warned: bool) -> None:
    diagnosis = diagnose(seen(tls_expires_at=AT + timedelta(days=days)), KNOWN)
    assert names(diagnosis) == (["certificate_expiring"] if warned else [])
    if warned:
        assert diagnosis.findings[0].headline.endswith(f"expires in {days} days" if days > 0 else "expires today")


@pytest.mark.parametrize(("offset", "found"), [(300.0, False), (-300.0, False), (301.0, True), (-301.0, True)])
def test_a_clock_may_be_off_by_five_minutes(offset: float, found: bool) -> None:
    diagnosis = diagnose(seen(system=SystemInfo("9", "2026-2027", offset)), KNOWN)
    assert names(diagnosis) == (["clock_skew"] if found else [])


@pytest.mark.parametrize(("total", "found"), [(1000, False), (900, False), (899, True), (0, True), (None, False)])
def test_a_count_that_fell_by_more_than_a_tenth_has_shrunk(total: int | None, found: bool) -> None:
    visit = seen(collections=collections(users=collection("users", total=total)))
    known = replace(KNOWN, baseline={"users": 1000})
    assert names(diagnose(visit, known)) == (["shrunk"] if found else [])
    assert diagnose(visit, KNOWN) == HEALTHY
    if found:
        assert f"users: {total} now, usually 1000" in words(diagnose(visit, known))


def test_nothing_shrinks_while_school_is_out() -> None:
    visit = seen(collections=collections(users=collection("users", total=10)), terms=YEAR)
    known = replace(KNOWN, baseline={"users": 1000})
    assert names(diagnose(visit, known)) == ["shrunk"]
    assert diagnose(replace(visit, at=SUMMER), known) == HEALTHY


def test_slow_is_what_takes_longer_than_the_bound_and_the_bound_can_be_set() -> None:
    exchange = replace(answer(phase=Phase.COLLECTION), milliseconds=10_000)
    visit = seen(collections=collections(users=collection("users", exchange=exchange)))
    assert diagnose(visit, KNOWN) == HEALTHY
    (finding,) = diagnose(visit, KNOWN, slow_seconds=2.5).findings
    assert finding.headline == "sis.example.org takes more than 2.5 seconds for a single record"


def test_the_port_of_the_headline_is_the_one_that_was_connected_to() -> None:
    down = CASES["unreachable_refused"][0]
    assert isinstance(down, Observation)
    for url, port in (
        ("https://sis.example.org/aeries", "443"),
        ("https://sis.example.org:8443/aeries", "8443"),
        ("https://[2001:db8::1]/aeries", "443"),
        ("https://[2001:db8::1]:8443/aeries", "8443"),
    ):
        (finding,) = diagnose(replace(down, base_url=url), KNOWN).findings
        assert finding.headline.endswith(f"nothing listens at port {port}")


def test_a_secret_that_cannot_be_used_tells_every_mistake() -> None:
    diagnosis = diagnose(secret_fault(SecretTrouble.MALFORMED, "one", "two"), KNOWN)
    assert diagnosis.findings[0].headline == "The secret rosterwatch/springfield cannot be used: one"
    assert diagnosis.findings[0].evidence == ("one", "two")
    assert diagnosis.findings[0].next_steps[0].endswith("(1) one. (2) two.")


# -- whatever a remote can send ------------------------------------------------------------------------------------------------

moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware there
days = st.dates(date(2025, 1, 1), date(2028, 1, 1))
codes = st.sampled_from([None, "invalid_client", "invalid_scope", "server_busy", "unauthorized", "temporarily_unavailable"])
bodies = st.builds(Body, st.sampled_from(BodyKind), st.integers(0, 10**6), st.none() | st.sampled_from(Dialect), codes)
bodies |= st.builds(Body, st.just(BodyKind.HTML), page=st.sampled_from(Page))
redirects = st.none() | st.builds(Redirect, st.none() | st.just("sso.example.net"), st.booleans(), st.booleans(), st.booleans())
challenges = st.frozensets(st.sampled_from(["ntlm", "negotiate", "basic", "bearer"]), max_size=2)


def exchanges(phase: Phase, *statuses: int) -> st.SearchStrategy[Exchange]:
    answered = st.builds(
        Exchange,
        st.just(phase),
        st.sampled_from(["/token", "/users"]),
        milliseconds=st.integers(0, 20_000),
        status=st.sampled_from(statuses or (200, 204, 301, 302, 400, 401, 403, 404, 405, 406, 418, 429, 500, 502, 503)),
        body=bodies,
        redirect=redirects,
        challenges=challenges,
        retry_after=st.none() | st.floats(0, 1e9),
    )
    silent = st.builds(Exchange, st.just(phase), st.just("/x"), fault=st.sampled_from(Fault))
    return answered if statuses else answered | silent


@st.composite
def found_collections(draw: st.DrawFn) -> tuple[Collection, ...]:
    found = []
    for name in draw(st.permutations(list(oneroster.ENVELOPES)))[: draw(st.integers(0, 12))]:
        state = draw(st.sampled_from(CollectionState))
        exchange = {
            CollectionState.OK: exchanges(Phase.COLLECTION, 200),
            CollectionState.EMPTY: exchanges(Phase.COLLECTION, 200),
            CollectionState.DENIED: exchanges(Phase.COLLECTION, 401, 403),
            CollectionState.BROKEN: exchanges(Phase.COLLECTION),
            CollectionState.UNTESTED: st.none(),
        }[state]
        total = draw(st.none() | st.integers(0, 1000))
        ok = state is CollectionState.OK
        alias = draw(st.none() | st.just("user"))
        found.append(Collection(name, draw(st.booleans()), state, int(ok), total if ok else None, draw(exchange), alias))
    return tuple(found)


tokens = st.none() | st.builds(
    Token,
    st.lists(st.builds(TokenAttempt, st.just("token"), exchanges(Phase.TOKEN), granted=st.booleans()), max_size=3).map(tuple),
    st.sampled_from([(), ("https://purl.example.org/scope/a",)]),
    st.booleans(),
)
visits = st.builds(
    seen,
    at=moments,
    systeminfo=st.none() | exchanges(Phase.SYSTEMINFO),
    system=st.none()
    | st.builds(SystemInfo, st.none() | st.just("9"), st.sampled_from([None, "2026-2027"]), st.none() | st.floats(-1e6, 1e6)),
    token=st.just(granted()) | tokens,
    collections=found_collections(),
    certificate=st.none() | exchanges(Phase.CERTIFICATE),
    terms=st.lists(st.builds(Term, days, days), max_size=3).map(tuple),
    tls_expires_at=st.none() | moments,
)
faults = st.builds(SecretFault, st.just("springfield"), st.sampled_from(SecretTrouble), st.lists(st.text(), max_size=3).map(tuple))
knowledge = st.builds(
    Known,
    st.just("rosterwatch/springfield"),
    st.none() | st.booleans(),
    st.none() | moments,
    st.none() | moments,
    st.none() | st.booleans(),
    st.dictionaries(st.sampled_from(list(oneroster.ENVELOPES)), st.integers(0, 2000)),
    st.booleans(),
)


@given(visits | faults, knowledge)
def test_whatever_a_visit_saw_is_judged_without_an_exception_and_told_in_order(
    visit: Observation | SecretFault, known: Known
) -> None:
    diagnosis = diagnose(visit, known)
    for finding in diagnosis.findings:
        assert "(unknown" not in finding.headline + "".join(finding.next_steps)
    ranks = [(-finding.cause.severity, ORDER[finding.cause.name]) for finding in diagnosis.findings]
    assert ranks == sorted(ranks)


@given(visits, knowledge)
def test_a_district_is_healthy_only_if_every_required_collection_is_in_order(visit: Observation, known: Known) -> None:
    diagnosis = diagnose(visit, known)
    if diagnosis.status is not Status.HEALTHY:
        return
    assert visit.token is not None
    assert visit.token.granted
    out_of_season = {
        name for finding in diagnosis.findings if finding.cause.name == "between_school_years" for name in finding.collections
    }
    for one in visit.collections:
        if one.required and one.state is not CollectionState.OK:
            assert one.state is CollectionState.EMPTY
            assert one.name in out_of_season & oneroster.SEASONAL
