"""A group of packets that one worker claims, reads and answers together, as far as they have no effect outside."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from amierules.database.in_turn import was_in_the_way
from amierules.database.ownership import LostOwnership
from amierules.database.rows import Person
from amierules.diagnostics import AmierulesError, Unavailable
from amierules.engine.all_actions import all_actions
from amierules.engine.attempt import Attempt, Drained
from amierules.engine.hands import LONGEST, Hands
from amierules.engine.keys import PERSON_CREATE
from amierules.engine.prepared import Prepared, prepare
from amierules.engine.schedule import Task
from amierules.engine.settling import Ending, settle, settle_together
from amierules.engine.standing_aside import Found, let_go, stand_aside
from amierules.rulebook.model import Rulebook

LARGEST = 100
"""So many packets at most does a worker have in its hands; they are read and committed together."""


@dataclass
class Group:
    """Packets that share no lock key.

    One that has an effect outside, or looks outside, is worked on alone: what is over is committed before, and the
    others are given back.
    """

    hands: Hands
    tasks: dict[int, Task]
    """Those that are neither ended nor given back, by id."""
    alone: bool = False
    """Whether a packet had to be worked on alone."""
    _over: list[Ending] = field(default_factory=list)
    _since: float = 0.0

    @classmethod
    def of(cls, hands: Hands, tasks: Iterable[Task]) -> "Group":
        """A group of these packets."""
        return cls(hands, {task.packet_rec_id: task for task in tasks})

    def work(self) -> None:
        """Work on all. Raises `Unavailable`, and `LostOwnership` where all claims are lost."""
        hands = self.hands
        try:
            hands.crash_point("before claim")
            self._claim()
            hands.crash_point("after claim")
            prepared = prepare(hands.site, self.tasks)
            for number, task in list(self.tasks.items()):
                if number not in self.tasks:
                    continue
                if number in prepared and prepared[number] is None:
                    self._end(task)
                else:
                    self._try(task, prepared.get(number))
                if hands.draining():
                    self._give_back(self._not_begun())
            self._settle()
        finally:
            hands.claims.release(hands.claims.held - hands.committing.keys)

    # ------------------------------------------------------------------ claims

    def _claim(self) -> None:
        """Claim each, as far as others do not have it."""
        tasks = list(self.tasks.values())
        for task, claimed in zip(tasks, self.hands.claims.try_each([task.keys for task in tasks]), strict=True):
            if not claimed:
                del self.tasks[task.packet_rec_id]
                self.hands.feed.put_aside(task)

    def _put_aside(self, task: Task, *, again: bool = False) -> None:
        self._release([self.tasks.pop(task.packet_rec_id)])
        self.hands.feed.put_aside(task, again=again)

    def _release(self, tasks: Iterable[Task]) -> None:
        """Give back the claims of packets that the group has no more; who may make persons is shared by the others."""
        keys = frozenset().union(*(task.keys for task in tasks))
        if any(PERSON_CREATE in task.keys for task in self.tasks.values()):
            keys -= {PERSON_CREATE}
        self.hands.release(keys, soon=not self.alone)

    def _claim_more(self, task: Task, prepared: Prepared) -> Prepared | None:
        """The packet with the keys that it turned out to need; None where they are not to be had now."""
        wider = replace(task, keys=task.keys | prepared.keys.keys)
        # Later ones that share its new keys were only given out with it because nobody knew.
        later = [one for one in self._not_begun() if one.place > task.place and not wider.keys.isdisjoint(one.keys)]
        self._give_back(later)
        if not self.hands.feed.reserve(task, wider.keys):
            self._give_back([wider])
            return None
        if not self.hands.claims.try_claim(wider.keys):
            self._put_aside(task)
            return None
        self.tasks[task.packet_rec_id] = wider
        # What was read before the keys were ours may have changed, and with it what the keys must be.
        found = prepare(self.hands.site, [task.packet_rec_id])
        again = found.get(task.packet_rec_id)
        if again is not None and not again.keys.keys <= wider.keys:
            self._give_back([replace(wider, keys=wider.keys | again.keys.keys)])
            return None
        if found and again is None:
            self._end(wider)
        return again

    def _may_make_person(self, task: Task) -> bool:
        """Whether the packet may go on, which may make a person: what others make must be there to be seen."""
        self.hands.committing.finish()
        if any(isinstance(row, Person) for ending in self._over for row in ending.view.changed()):
            self._settle()
        wider = replace(task, keys=task.keys | {PERSON_CREATE})
        if not self.hands.feed.reserve(task, wider.keys, beside=self.tasks):
            # Another slot makes one. Nobody waits for it here: it may be at something slow.
            self._give_back([wider])
            return False
        if not self.hands.claims.try_claim([PERSON_CREATE]):
            self._put_aside(task)
            return False
        self.tasks[task.packet_rec_id] = wider
        return True

    def _not_begun(self) -> list[Task]:
        over = {ending.item.packet_rec_id for ending in self._over}
        return [task for number, task in self.tasks.items() if number not in over]

    def _give_back(self, tasks: Iterable[Task]) -> None:
        """Let other slots and workers have packets that were not begun."""
        given = list(tasks)
        # The keys that they have: those that they turned out to need may be another packet's of this group.
        self._release([self.tasks.pop(task.packet_rec_id) for task in given])
        for task in given:
            self.hands.feed.put_back(task, task.keys)

    # ------------------------------------------------------------------ passes

    def _try(self, task: Task, prepared: Prepared | None) -> None:
        self.hands.go_on()
        try:
            if prepared is not None and not prepared.keys.keys <= task.keys:
                prepared = self._claim_more(task, prepared)
            if task.packet_rec_id not in self.tasks:
                return
            task = self.tasks[task.packet_rec_id]
            if prepared is None:
                let_go(self.hands.site, task.packet_rec_id)
                self._end(task)
            elif prepared.why_not is not None or prepared.blocker is not None:
                self._stand_aside(task, prepared)
            elif not self._makes_person(prepared) or self._may_make_person(task):
                self._pass(task, prepared)
        except Drained:
            self._end(task)
        except Unavailable as error:
            # One that is no more in hand was committed: what came after is what could not be done.
            if task.packet_rec_id not in self.tasks or not was_in_the_way(self.hands.site.database, error):
                raise
            self._put_aside(task, again=True)
        except LostOwnership:
            # Of this packet, or of all: without claims no further packet can be had.
            self.hands.claims.check()
            self._end(task)

    def _stand_aside(self, task: Task, prepared: Prepared) -> None:
        found = stand_aside(self.hands.site, prepared)
        if found is Found.RECORDED:
            self._end(task)
        elif found is Found.FREE:
            self._give_back([task])
        else:
            self._put_aside(task, again=True)

    def _makes_person(self, prepared: Prepared) -> bool:
        return prepared.keys.makes_person and self.hands.makes_person(prepared.case.type)

    def _pass(self, task: Task, prepared: Prepared) -> None:
        hands = self.hands
        attempt = Attempt(
            hands.site,
            prepared,
            hands.crash_point,
            named=task.hurried,
            draining=hands.draining,
            before_outside=lambda: self._be_alone(task),
        )
        hands.on_start(prepared.item)
        ending = attempt.make()
        if not self._over:
            self._since = time.monotonic()
        self._over.append(ending)
        if self.alone or len(self._over) >= hands.commit_together or time.monotonic() - self._since > LONGEST:
            self._settle()

    def _be_alone(self, task: Task) -> None:
        """Nobody is to wait for what a packet does outside."""
        self.alone = True
        self._settle()
        self.hands.committing.finish()
        self._give_back([one for number, one in self.tasks.items() if number != task.packet_rec_id])

    # ------------------------------------------------------------------ endings

    def _settle(self) -> None:
        """Commit all passes that are over; where they cannot be committed together, one by one."""
        endings, self._over = self._over, []
        if not endings:
            return
        self.hands.go_on()
        if self._is_ahead(endings):
            return
        self.hands.committing.finish()
        try:
            statuses = settle_together(endings)
        except AmierulesError as error:
            if not was_in_the_way(self.hands.site.database, error):
                raise
            statuses = self._settle_one_by_one(endings)
        except Exception:
            statuses = self._settle_one_by_one(endings)
        settled = [(ending, task) for ending in endings if (task := self.tasks.pop(ending.item.packet_rec_id, None))]
        self._release(task for _, task in settled)
        for ending, task in settled:
            self.hands.tell(ending, task, statuses.get(task.packet_rec_id))

    def _is_ahead(self, endings: Sequence[Ending]) -> bool:
        """Whether the commit of a packet alone is under way, while the worker goes on."""
        if len(endings) > 1 or not (self.alone or self.hands.commit_together == 1):
            return False
        task = self.tasks[endings[0].item.packet_rec_id]
        if not self.hands.committing.begin(endings[0], task, soon=not self.alone):
            return False
        del self.tasks[task.packet_rec_id]
        return True

    def _settle_one_by_one(self, endings: Sequence[Ending]) -> dict[int, str]:
        statuses = {}
        for ending in endings:
            try:
                statuses[ending.item.packet_rec_id] = settle(ending)
            except LostOwnership:
                self.hands.claims.check()
            except AmierulesError as error:
                if not was_in_the_way(self.hands.site.database, error):
                    raise
                self._put_aside(self.tasks[ending.item.packet_rec_id], again=True)
        return statuses

    def _end(self, task: Task) -> None:
        """Nothing was done about the packet, or nothing that is to be told."""
        self._release([self.tasks.pop(task.packet_rec_id)])
        self.hands.feed.end(task)


def makes_person(rulebook: Rulebook, type_name: str) -> bool:
    """Whether the rules of this packet type have an action of the kind `person`, blocks included."""
    rule_file = rulebook.by_type.get(type_name)
    return rule_file is not None and any(
        action.kind == "person" for rule in rule_file.rules for _, action in all_actions(rule.actions, rulebook.blocks)
    )
