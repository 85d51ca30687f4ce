/* One supplier account, two approved orders, two workers: does any order of events buy twice, stay stuck, or lose money?
 *
 * Checked exhaustively by tests/orders/test_model.py, for a supplier that takes an idempotency key (-DKEYED=1) and for one
 * that takes none (-DKEYED=0). The same test compares the edges named here by `attempt_moves` and `order_moves` with the
 * tables in procurement/orders/states.py: leave each call on one line.
 *
 * What is in the database outlives a crash and is written in atomic steps, one for each commit. What a worker knows is gone
 * with it. Wake-up messages and leases are left out, which allows more than they do: any worker may look at any order at
 * any time, also at one that another still holds. A request and its answer may each be lost or late, and at a supplier
 * with a key the network may deliver a request twice. A worker may sleep between any two of its steps.
 */
#ifndef KEYED
#define KEYED 0
#endif
#define CRASHES 2
#define SENDS   2      /* how often one attempt may leave: inside the key window, or until it was postponed too often */
#define NOBODY  255

mtype = { ready, sending, placed, placed_no_id, not_placed, unknown, void };
mtype = { approved, placing, place_failed, draft, expired, cancelled, refunded, manual_review };
mtype = { silence, says_yes, says_yes_without_id, says_no, says_wait, says_nothing_clear, lost };

/* The database. */
mtype attempt[2] = ready;
mtype order[2] = approved;
byte sends[2];
bool doubted[2];            /* was unconfirmed once: a later "no" says nothing about the earlier sending */
bool agreed[2];             /* two people agreed that it was paid: the balance is explained, though no id is known */
byte lane = NOBODY;         /* the attempt that holds the order lane of a supplier without keys */

/* The workers: the attempt each looks at, and whether the version it read is still the present one. */
byte at[2] = NOBODY;
bool fresh[2];
byte crashes;

/* The supplier's side, and what is on its way. */
byte paid[2];
bool begun[2];              /* a worker that committed "sending" and has not sent yet */
bool asking[2];             /* a worker that has sent and listens for the answer */
mtype heard[2] = silence;   /* what it was answered; `lost` is never heard */
byte stray[2];              /* requests for an attempt under way after their connection is gone */

#define UNRESOLVED(a) (order[a] == placing || order[a] == unknown || order[a] == manual_review || \
                       (order[a] == placed_no_id && !agreed[a]))
#define OVER(a)       (order[a] == place_failed || order[a] == draft || order[a] == expired || order[a] == cancelled)
#define SENT_BY(w, a) (at[w] == a && (begun[w] || (asking[w] && heard[w] == silence)))
#define UNDER_WAY(a)  (stray[a] > 0 || SENT_BY(0, a) || SENT_BY(1, a))

/* One conditional UPDATE: each move makes stale what every worker read before. */
inline stale(a) {
    if :: at[0] == a -> fresh[0] = false :: else fi;
    if :: at[1] == a -> fresh[1] = false :: else fi
}
inline attempt_moves(a, from, to) {
    assert(attempt[a] == from); attempt[a] = to; stale(a)
}
inline order_moves(a, from, to) {
    assert(order[a] == from); order[a] = to; stale(a)
}
inline free_lane(a)             { if :: lane == a -> lane = NOBODY :: else fi }
inline nothing_was_bought(a)    { assert(paid[a] == 0 && !UNDER_WAY(a)) }

/* --- a worker: the dispatcher's step and the reaper --- */

inline refuse_before_sending(a) {
    nothing_was_bought(a);
    if
    :: true -> attempt_moves(a, ready, void); order_moves(a, approved, draft)           /* the price rose */
    :: true -> attempt_moves(a, ready, void); order_moves(a, approved, place_failed)    /* the balance is too small */
    fi;
    free_lane(a)
}

/* The second commit: from here on the supplier may have it. */
inline second_commit(a) {
    if
    :: attempt[a] == ready -> attempt_moves(a, ready, sending); order_moves(a, approved, placing)
    :: attempt[a] == unknown -> attempt_moves(a, unknown, sending); order_moves(a, unknown, placing)
    fi;
    sends[a]++; fresh[me] = true; begun[me] = true
}

/* The POST leaves. */
inline post(a) {
    assert(KEYED || !UNRESOLVED(1 - a));    /* a frozen lane sends nothing */
    begun[me] = false; asking[me] = true; heard[me] = silence
}

/* The connection is closed; a request that was not handled yet may still arrive. */
inline hang_up(a) {
    if :: asking[me] && heard[me] == silence && !(KEYED && paid[a] > 0) -> stray[a]++ :: else fi;
    asking[me] = false; heard[me] = silence
}

/* The third commit: the verdict, by evidence. A worker that was overtaken writes nothing. */
inline third_commit(a, said) {
    if
    :: !fresh[me]
    :: else ->
        if
        :: said == says_yes ->
            attempt_moves(a, sending, placed); order_moves(a, placing, placed); free_lane(a)
        :: said == says_yes_without_id && !KEYED ->
            attempt_moves(a, sending, placed_no_id); order_moves(a, placing, placed_no_id)
        :: said == says_no && !doubted[a] ->
            nothing_was_bought(a);
            attempt_moves(a, sending, not_placed); order_moves(a, placing, place_failed); free_lane(a)
        :: said == says_wait && !doubted[a] ->
            nothing_was_bought(a);
            attempt_moves(a, sending, ready); order_moves(a, placing, approved); free_lane(a)
        :: else ->
            attempt_moves(a, sending, unknown); order_moves(a, placing, unknown); doubted[a] = true
        fi
    fi
}

#define MAY_SEND(a) (sends[a] < SENDS && (attempt[a] == ready || (KEYED && attempt[a] == unknown && order[a] == unknown)))

inline look_at(a)   { at[me] = a; fresh[me] = true }
inline look_away()  { at[me] = NOBODY; fresh[me] = false }

/* kill -9: the connection is gone, and so is all this worker knew. */
#define CRASH atomic { crashes < CRASHES -> crashes++; hang_up(at[me]); begun[me] = false; look_away(); goto idle }

proctype worker(byte me) {
idle:
    if
    :: atomic { MAY_SEND(0) -> look_at(0) }
    :: atomic { MAY_SEND(1) -> look_at(1) }
    fi;
    /* The lane is taken by a commit of its own: a crash behind it leaves the lane to an attempt that is still ready. */
    if
    :: atomic { KEYED || lane == at[me] }
    :: atomic { !KEYED && lane == NOBODY && fresh[me] -> lane = at[me] }
    :: atomic { !KEYED && lane != at[me] -> look_away(); goto idle }
    :: CRASH
    fi;
    if
    :: atomic { !fresh[me] -> look_away(); goto idle }
    :: atomic { fresh[me] && attempt[at[me]] == ready ->
            refuse_before_sending(at[me]); look_away(); goto idle }
    :: atomic { fresh[me] -> second_commit(at[me]) }
    :: CRASH
    fi;
    if
    :: atomic { begun[me] = false; third_commit(at[me], says_wait); look_away(); goto idle }    /* surely not sent */
    :: atomic { post(at[me]) }
    :: CRASH
    fi;
    if
    :: atomic { heard[me] != silence && heard[me] != lost ->
            third_commit(at[me], heard[me]); hang_up(at[me]); look_away(); goto idle }
    :: atomic { hang_up(at[me]) }       /* a time-out, a reset, half an answer */
    :: CRASH
    fi;
    if
    :: atomic { third_commit(at[me], says_nothing_clear); look_away(); goto idle }
    :: CRASH
    fi
}

/* --- the clock: the reaper, and approvals older than a day --- */

/* An attempt past its deadline lost its worker, or its worker sleeps: nobody knows, so never ready again. */
inline reap(a) {
    atomic {
        attempt[a] == sending ->
        attempt_moves(a, sending, unknown); order_moves(a, placing, unknown); doubted[a] = true
    }
}

inline expire(a) {
    atomic {
        attempt[a] == ready ->
        nothing_was_bought(a); attempt_moves(a, ready, void); order_moves(a, approved, expired); free_lane(a)
    }
}

/* Nobody found out for a day: people go on from here. The model ends there, with the lane still taken. */
inline give_up(a) {
    atomic { order[a] == unknown -> order_moves(a, unknown, manual_review) }
}

proctype clock() {
    do
    :: give_up(0)
    :: give_up(1)
    :: reap(0)
    :: reap(1)
    :: expire(0)
    :: expire(1)
    od
}

/* --- people. Whoever says what became of an order looks a quarter of an hour later: then nothing of it is under way. --- */

inline cancel(a) {
    atomic {
        attempt[a] == ready ->
        nothing_was_bought(a); attempt_moves(a, ready, void); order_moves(a, approved, cancelled); free_lane(a)
    }
}

inline verdict_on_unknown(a) {
    atomic {
        order[a] == unknown && !UNDER_WAY(a) ->
        if
        :: paid[a] == 1 -> attempt_moves(a, unknown, placed); order_moves(a, unknown, placed); free_lane(a)
        :: paid[a] == 1 ->
            agreed[a] = true;
            attempt_moves(a, unknown, placed_no_id); order_moves(a, unknown, placed_no_id); free_lane(a)
        :: paid[a] == 0 ->
            nothing_was_bought(a);
            attempt_moves(a, unknown, not_placed); order_moves(a, unknown, place_failed); free_lane(a)
        fi
    }
}

inline end_without_id(a) {
    atomic {
        order[a] == placed_no_id ->
        if
        :: true -> attempt_moves(a, placed_no_id, placed); order_moves(a, placed_no_id, placed)
        :: true -> order_moves(a, placed_no_id, refunded)
        fi;
        free_lane(a)
    }
}

proctype people() {
    do
    :: cancel(0)
    :: cancel(1)
    :: verdict_on_unknown(0)
    :: verdict_on_unknown(1)
    :: end_without_id(0)
    :: end_without_id(1)
    od
}

/* --- the network and the supplier --- */

inline take_order(a) {
    if
    :: KEYED && paid[a] > 0         /* the same key: the same order */
    :: else -> paid[a]++; assert(paid[a] <= 1); assert(!OVER(a))
    fi
}

inline answer(w) {
    atomic {
        asking[w] && heard[w] == silence ->
        if
        :: true -> heard[w] = lost                                              /* the request is lost */
        :: true ->
            take_order(at[w]);
            if
            :: true -> heard[w] = says_yes
            :: true -> heard[w] = says_yes_without_id
            :: true -> heard[w] = says_nothing_clear
            :: true -> heard[w] = lost                          /* the answer is lost */
            fi
        :: KEYED -> take_order(at[w]); take_order(at[w]); heard[w] = says_yes   /* the request comes twice */
        :: true -> heard[w] = says_no                           /* also to a repetition: the key was replaced, say */
        :: true -> heard[w] = says_wait
        :: true -> heard[w] = says_nothing_clear                /* a 500 before anything was done */
        fi
    }
}

inline take_stray(a) {
    atomic { stray[a] > 0 -> stray[a]--; if :: true -> take_order(a) :: true fi }
}

proctype supplier() {
    do
    :: answer(0)
    :: answer(1)
    :: take_stray(0)
    :: take_stray(1)
    od
}

/* The lane belongs to an order that is being placed or waits for a verdict: else nobody would ever free it. */
#define LEFT_BEHIND(a) (lane == a && !(order[a] == approved || UNRESOLVED(a)))
proctype monitor() {
    atomic { LEFT_BEHIND(0) || LEFT_BEHIND(1) -> assert(false) }
}

init {
    atomic { run worker(0); run worker(1); run clock(); run people(); run supplier(); run monitor() }
}

/* With weak fairness: no attempt stays in the middle of a sending. */
ltl sending_ends { [] (attempt[0] == sending -> <> (attempt[0] != sending)) }
