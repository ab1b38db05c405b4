"""The books of the devices: what must hold of every request log whatever the cloud did, checked after every run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scenarios.schema.fleet import Fleet
from scenarios.schema.persistence import BackoffRetry
from simulator.clock import NEVER, ticks
from simulator.departures import Departures
from simulator.ledger import Part, demand
from simulator.outcomes import IntArray
from simulator.records import Log
from simulator.request import ABANDONED, ANSWERED, IN_FLIGHT, LOST, REJECTED, TIMED_OUT

Bools = npt.NDArray[np.bool_]


def conduct(log: Log, fleet: Fleet, lived: IntArray, departures: Departures | None) -> None:
    """Check the log against the rules of the fleet. lived: [devices] interactions. Raises `LedgerError`."""
    left, stops = (None, None) if departures is None else (np.array(departures.leaves), np.array(departures.stops))
    for part in log.parts():
        _fates_are_allowed(part, fleet, left, stops)
        _devices_keep_to_their_lives(part, lived, stops)
    for _, _, part in log.by_device():
        if len(part["number"]):
            _attempts_follow_each_other(part, fleet)


def _fates_are_allowed(log: Part, fleet: Fleet, leaves: Bools | None, stops: IntArray | None) -> None:
    """leaves, stops: [devices] whether each is left by its user, and when it stops; None where they all live on."""
    status, heard = log["status"], log["answered"] != NEVER
    timeout = max(ticks(fleet.timeout_s), 1)
    in_time = log["answered"] - log["sent"] <= timeout
    demand((status != ANSWERED) | in_time, "what is answered is answered before its time-out", log)
    waited, given_up = log["settled"] - log["sent"], np.isin(status, (TIMED_OUT, LOST))
    demand(~given_up | (waited == timeout), "a request without a reply is given up at its time-out", log)
    demand(waited <= timeout, "no request is waited for beyond its time-out", log)
    replied = np.isin(status, (ANSWERED, REJECTED))
    demand(~replied | (log["settled"] == log["reached"]), "a request ends as its reply comes", log)
    late = heard & (status != ANSWERED)
    allowed = fleet.late_answers == "use"
    demand(~late | (allowed & np.isin(status, (TIMED_OUT, ABANDONED))), "a late answer is used only by the rule", log)
    may_abandon = stops is not None or fleet.flight == "replace" or allowed
    demand((status != ABANDONED) | may_abandon, "nobody abandons a request but by the rules", log)
    if stops is None or leaves is None:
        demand(status != IN_FLIGHT, "nothing is in flight at the end but by a horizon", log)
    else:
        left, stop = leaves[log["device"]], stops[log["device"]]
        open_at_end = (status == IN_FLIGHT) & (left | (log["sent"] + timeout < stop))
        demand(~open_at_end, "in flight is what the horizon cut off before its time-out", log)


def _attempts_follow_each_other(log: Part, fleet: Fleet) -> None:
    retry = fleet.retry
    most = retry.attempts if isinstance(retry, BackoffRetry) else 1
    attempt, status, sent, device = log["attempt"], log["status"], log["sent"], log["device"]
    demand((attempt >= 1) & (attempt <= most), "no more attempts than the scenario allows", log)
    same = device[1:] == device[:-1]
    again = np.append(False, same & (log["step"][1:] == log["step"][:-1]))
    demand(again == (attempt > 1), "an attempt after the first follows one for the same step", log)
    demand(~again | (attempt == np.append(0, attempt[:-1]) + 1), "attempts are counted one by one", log)
    newer = np.append(True, ~same | (log["step"][1:] > log["step"][:-1]))
    demand(newer | again, "a device asks for later and later steps", log)
    failed = np.isin(status, (REJECTED, TIMED_OUT, LOST))
    followed = np.append(again[1:], False)
    demand(~followed | failed, "only what failed is made again", log)
    if fleet.flight == "single":
        timeout = max(ticks(fleet.timeout_s), 1)
        given_up = np.isin(status, (TIMED_OUT, LOST))
        end = np.select(
            [status == ANSWERED, given_up, status == REJECTED], [log["answered"], sent + timeout, log["reached"]], sent
        )
        free = np.append(True, ~same | (sent[1:] >= end[:-1]))
        demand(free, "a device has one request on its way at a time", log)
        last = np.append(~same, True)
        ended = last | (fleet.late_answers == "use")
        demand((status != ABANDONED) | ended, "a device that abandons a request and goes on does so by the rules", log)


def _devices_keep_to_their_lives(log: Part, lived: IntArray, stops: IntArray | None) -> None:
    device = log["device"]
    demand(log["applied"] < lived[device], "no answer is shown at a step that nobody lived", log)
    demand(log["step"] <= lived[device], "nobody asks for a step that does not come", log)
    if stops is not None:
        stop = stops[device]
        begun = log["attempt"] == 1
        demand(log["sent"] <= stop - begun, "a device asks for nothing once it has stopped, nor makes it again", log)
        demand((log["answered"] == NEVER) | (log["answered"] <= stop), "nor does it hear anything", log)
