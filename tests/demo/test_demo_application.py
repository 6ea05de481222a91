"""The demo application does what its parts promise, in containers, with a real Postgres and a real Redis."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from tests.demo.stack import Answer, Stack, converse, until

pytestmark = pytest.mark.docker


def submit(stack: Stack, kind: str, **payload: Any) -> str:
    answer = stack.ask(stack.api, "/api/jobs", {"kind": kind, "payload": payload})
    assert answer.status == 202, answer.text
    return str(answer.json["id"])


def job(stack: Stack, job_id: str) -> dict[str, Any]:
    return stack.ask(stack.api, f"/api/jobs/{job_id}").json


def ended(stack: Stack, job_id: str) -> dict[str, Any]:
    until(lambda: job(stack, job_id)["state"] in ("done", "failed"), f"job {job_id}")
    return job(stack, job_id)


def in_background(work: Any) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def stopped(container: Any, seconds: int = 40) -> int:
    """Ends a container with SIGTERM as a deploy does; its exit code (137 where it had to be killed)."""
    container.stop(timeout=seconds)
    return int(container.wait()["StatusCode"])


def logs(container: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in container.logs().decode().splitlines()]


def test_every_service_is_alive_to_its_own_healthcheck(stack: Stack) -> None:
    """The commands that the Compose file gives as healthchecks succeed in each of the four services."""
    for service in ("api", "ws", "worker", "scheduler"):
        container = getattr(stack, service)
        command = ["python3", "-m", "demo", "health", service]
        until(lambda: container.exec_run(command).exit_code == 0, f"{service} healthy")  # noqa: B023 - used at once


def test_version_names_release_host_replica_and_schema(stack: Stack) -> None:
    """What answers is told: by body, and by header on every answer."""
    answer = stack.ask(stack.api, "/version")
    told = answer.json
    assert told == {
        "service": "api",
        "release": "release-1",
        "host": "host-of-api",
        "replica": "api",
        "schema": "0003_jobs_by_time",
    }
    assert answer.headers["x-release"] == "release-1"
    assert answer.headers["x-served-by"] == "host-of-api/api"


def test_a_job_is_done_by_the_worker_and_says_by_which_release(stack: Stack) -> None:
    """Submitted over HTTP, queued in Redis, run by the worker, told by Postgres."""
    done = ended(stack, submit(stack, "sum", numbers=[1, 2, 39]))
    assert (done["state"], done["result"]) == ("done", {"sum": 42})
    assert (done["worker"], done["host"], done["release"]) == ("worker", "host-of-worker", "release-1")


def test_a_failing_job_is_failed_with_its_reason(stack: Stack) -> None:
    """A job that fails is the job's failure: recorded once, and the worker goes on."""
    failed = ended(stack, submit(stack, "fail", reason="no luck"))
    assert (failed["state"], failed["error"], failed["attempts"]) == ("failed", "no luck", 1)
    assert ended(stack, submit(stack, "sum", numbers=[1]))["state"] == "done"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/jobs", {"kind": "summ"}, 400),
        ("/api/jobs", {"kind": "sum", "payload": {"numbers": "12"}}, 400),
        ("/api/jobs", ["sum"], 400),
        ("/api/jobs/17", None, 400),
        ("/api/jobs/00000000-0000-4000-8000-000000000000", None, 404),
        ("/api/slow?seconds=31", None, 400),
        ("/api/slow?seconds=nan", None, 400),
        ("/api/echo", "x" * 70_000, 413),
        ("/nowhere", None, 404),
    ],
)
def test_wrong_requests_are_refused(stack: Stack, path: str, body: Any, status: int) -> None:
    """A caller's mistake is a 4xx with a reason in JSON, never a 500."""
    answer = stack.ask(stack.api, path, body)
    assert answer.status == status
    assert answer.json["error"]


def test_a_session_counts_visits(stack: Stack) -> None:
    """The cookie brings the session back; a forged one starts a new session."""
    first = stack.ask(stack.api, "/api/whoami")
    cookie = first.headers["set-cookie"].split(";")[0]
    second = stack.ask(stack.api, "/api/whoami", cookie=cookie)
    forged = stack.ask(stack.api, "/api/whoami", cookie=cookie[:-1] + ("0" if cookie[-1] != "0" else "1"))
    assert [first.json["visits"], second.json["visits"], forged.json["visits"]] == [1, 2, 1]
    assert {"httponly", "samesite=lax"} <= {part.strip().lower() for part in first.headers["set-cookie"].split(";")}


def test_the_page_and_its_parts_come_from_here_alone(stack: Stack) -> None:
    """The page opens, forbids other origins, and everything it names is served."""
    page = stack.ask(stack.api, "/")
    assert page.status == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for part in ("/static/page.css", "/static/page.js", "/static/icon.svg"):
        assert part in page.text
        assert stack.ask(stack.api, part).status == 200


def test_a_websocket_echoes_and_hears_of_jobs(stack: Stack) -> None:
    """Text comes back as it was; the states of a job come as events."""
    conversation = converse(stack.api, f"ws://{stack.address(stack.ws)}:8001/ws", 3, "good day").until_open()
    job_id = submit(stack, "sum", numbers=[2, 2])
    texts = [line["text"] for line in conversation.rest() if "text" in line]
    assert "good day" in texts
    events = [json.loads(text) for text in texts if text != "good day"]
    assert events[0]["type"] == "hello"
    states = [event["state"] for event in events if event.get("id") == job_id]
    assert states == ["queued", "running", "done"]


def test_metrics_count_requests_and_jobs(stack: Stack) -> None:
    """/metrics of both HTTP services is what Prometheus reads."""
    stack.ask(stack.api, "/version")
    text = stack.ask(stack.api, "/metrics").text
    assert 'demo_requests_total{method="GET",route="version",status="200"}' in text
    assert 'demo_jobs{state="done"}' in text
    assert 'release="release-1"' in text
    assert "demo_websockets_open" in stack.ask(stack.ws, "/metrics", port=8001).text


def test_the_fleet_knows_every_process(stack: Stack) -> None:
    """All four services are told with host and release."""
    members = until(lambda: _members(stack, 4), "four members")
    assert {(one["service"], one["release"]) for one in members} >= {
        (service, "release-1") for service in ("api", "ws", "worker", "scheduler")
    }


def _members(stack: Stack, count: int) -> list[dict[str, Any]]:
    members = stack.ask(stack.api, "/api/fleet").json["members"]
    return members if len(members) >= count else []


def test_a_migration_can_be_run_again_and_by_two_at_once(stack: Stack) -> None:
    """Two migrators of an empty database take turns; both succeed and the schema is at head."""
    both = [stack.migrate(f"migrate-{number}", DB_NAME="empty") for number in (1, 2)]
    assert [container.wait()["StatusCode"] for container in both] == [0, 0], [c.logs() for c in both]
    api = stack.start("api", "api-empty", DB_NAME="empty")
    until(lambda: stack.ask(api, "/ready").status == 200, "ready on the second database")
    assert stack.ask(api, "/version").json["schema"] == "0003_jobs_by_time"
    stack.forget(api)


def test_without_its_schema_the_api_is_not_ready_and_says_why(stack: Stack) -> None:
    """A database that was not migrated is told as such; the process itself stays healthy."""
    api = stack.start("api", "api-unmigrated", DB_NAME="postgres")
    answer = until(lambda: stack.ask(api, "/ready"), "an answer")
    assert answer.status == 503
    assert "run its migrations" in answer.json["reasons"][0]
    assert stack.ask(api, "/health").status == 200
    stack.forget(api)


def test_wrong_settings_end_with_one_line_each(stack: Stack) -> None:
    """Every mistake is told at once, without a traceback, exit code 78."""
    worker = stack.start("worker", "worker-wrong", DB_PORT="many", REDIS_PASSWORD_FILE="/run/secrets/none")
    assert worker.wait()["StatusCode"] == 78
    told = worker.logs().decode()
    assert "DB_PORT must be a number" in told
    assert "REDIS_PASSWORD_FILE: cannot read /run/secrets/none" in told
    assert "Traceback" not in told


def test_a_long_request_outlives_sigterm(stack: Stack) -> None:
    """A request begun before SIGTERM is answered, new ones are refused, and the process ends by itself with 0."""
    api = stack.start("api", "api-stopping")
    until(lambda: stack.ask(api, "/health").status == 200, "alive")
    request, answers = in_background(lambda: stack.ask(api, "/api/slow?seconds=3"))
    until(lambda: "demo_requests_in_flight 2.0" in stack.ask(api, "/metrics").text, "the request under way")
    api.kill("SIGTERM")
    until(lambda: _refuses(stack, api), "the door closed", 2)
    assert request.is_alive(), "refused while the long request is still being answered"
    request.join()
    assert answers[0].status == 200
    assert api.wait()["StatusCode"] == 0


def _refuses(stack: Stack, container: Any) -> bool:
    try:
        stack.ask(container, "/health")
    except ConnectionRefusedError:
        return True
    return False


def test_open_websockets_outlive_sigterm_until_the_drain_is_over(stack: Stack) -> None:
    """Told that it drains, a socket still works for the drain time, then is closed with 1012; exit code 0."""
    ws = stack.start("ws", "ws-stopping", DRAIN_SECONDS="2")
    until(lambda: stack.ask(ws, "/health", port=8001).status == 200, "alive")
    conversation = converse(stack.api, f"ws://{stack.address(ws)}:8001/ws", 20).until_open()
    begun = time.monotonic()
    assert stopped(ws) == 0
    lines = conversation.rest()
    assert time.monotonic() - begun >= 2
    assert lines[-1] == {"closed": 1012}
    assert any(json.loads(line["text"])["type"] == "draining" for line in lines[:-1])


def quiet(stack: Stack) -> None:
    """The worker takes no more jobs. A read that has begun may still bring it one: it blocks for a second at most."""
    stack.worker.kill("SIGUSR1")
    until(lambda: any(line["message"] == "taking no more jobs" for line in logs(stack.worker)), "the worker quiet")
    time.sleep(1.2)


def test_a_worker_told_to_stop_finishes_its_job(stack: Stack) -> None:
    """SIGTERM during a job: the job is done by that worker, at its first attempt, and the exit code is 0."""
    quiet(stack)  # so that the other one gets the job
    worker = stack.start("worker", "worker-stopping")
    job_id = submit(stack, "sleep", seconds=3)
    until(lambda: job(stack, job_id)["state"] == "running", "the job running")
    assert job(stack, job_id)["worker"] == "worker-stopping"
    assert stopped(worker) == 0
    done = job(stack, job_id)
    assert (done["state"], done["worker"], done["attempts"]) == ("done", "worker-stopping", 1)
    stack.worker.kill("SIGUSR2")


def test_a_job_of_a_killed_worker_is_taken_over(stack: Stack) -> None:
    """SIGKILL in the middle of a job: another worker does it, and it is told as the second attempt."""
    quiet(stack)
    worker = stack.start("worker", "worker-killed")
    job_id = submit(stack, "sleep", seconds=1.5)
    until(lambda: job(stack, job_id)["state"] == "running", "the job running")
    worker.kill("SIGKILL")
    stack.worker.kill("SIGUSR2")
    done = ended(stack, job_id)
    assert (done["state"], done["worker"], done["attempts"]) == ("done", "worker", 2)


def test_without_redis_the_api_is_not_ready_and_no_job_is_lost(stack: Stack) -> None:
    """Redis stops: 503 with the reason, the process lives, a job is still taken; Redis starts: ready, the job done."""
    cache = stack.docker.containers.get(f"{stack.name}-cache")
    cache.stop(timeout=2)
    answer = until(lambda: _unready(stack), "not ready")
    assert [reason.split(":")[0] for reason in answer.json["reasons"]] == ["redis"]
    assert stack.ask(stack.api, "/health").status == 200
    job_id = submit(stack, "sum", numbers=[20, 22])
    cache.start()
    until(lambda: stack.ask(stack.api, "/ready").status == 200, "ready again")
    assert ended(stack, job_id)["result"] == {"sum": 42}


def _unready(stack: Stack) -> Answer | None:
    answer = stack.ask(stack.api, "/ready")
    return answer if answer.status == 503 else None


def test_the_lease_log_shows_one_scheduler_and_would_show_two(stack: Stack) -> None:
    """One scheduler: no overlap. A second beside it: told as an overlap. One that stops writes down its end."""
    story = until(lambda: _story(stack), "a tick")
    assert story["overlaps"] == []
    assert story["ticks"][0]["holder"] == "scheduler"
    second = stack.start("scheduler", "scheduler-second")
    until(lambda: stack.ask(stack.api, "/api/scheduler").json["overlaps"], "the overlap")
    assert stopped(second) == 0
    lease = stack.ask(stack.api, "/api/scheduler").json["leases"][0]
    assert lease["holder"] == "scheduler-second"
    assert lease["ended_at"]


def _story(stack: Stack) -> dict[str, Any] | None:
    story = stack.ask(stack.api, "/api/scheduler").json
    return story if story["ticks"] else None


def test_logs_are_json_with_durations_and_without_secrets(stack: Stack) -> None:
    """Every line of every service parses; requests have their duration; no password is anywhere."""
    for service in ("api", "ws", "worker", "scheduler"):
        lines = logs(getattr(stack, service))
        assert all({"timestamp", "level", "message", "service", "release"} <= set(line) for line in lines)
        assert not [word for word in stack.passwords if word in json.dumps(lines)]
    requests = [line for line in logs(stack.api) if line.get("path") == "/api/jobs"]
    assert requests
    assert all(line["duration_ms"] >= 0 for line in requests)


def test_the_image_is_small_and_runs_as_nobody_special(stack: Stack) -> None:
    """Under 250 MB, user 1000, a health check of its own, and no secret in its configuration."""
    image = stack.docker.images.get(stack.image)
    assert image.attrs["Size"] < 250_000_000
    assert image.attrs["Config"]["User"] == "1000:1000"
    assert image.attrs["Config"]["Healthcheck"]["Test"][0] == "CMD"
    assert not [name for name in image.attrs["Config"]["Env"] if "PASSWORD" in name or "KEY" in name]
