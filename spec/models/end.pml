/*
 * The end of a session (protocol.md, section 6): two processes, one transport, both directions.
 *
 *     side 0  -- way[0] -->  side 1         a way is a bounded queue of frames, in order;
 *     side 0  <-- way[1] --  side 1         its reader may find EOF before any of them
 *
 * An assertion carries in its comment the promise (I1..I6 of README.md) or the clause (E-1, T-16, ...)
 * that it stands for. `run` reads that comment back when an assertion fails, so each stands on one line.
 * Code under `#ifdef WRONG_...` is a mistake on purpose: `run --mutants` proves that each is found.
 * NEVER is a claim that must be refuted: it proves that an outcome can be reached at all.
 */

/* Bounds; `run` sets them. */
#ifndef MESSAGES_0
#define MESSAGES_0 1            /* messages that side 0 may send */
#endif
#ifndef MESSAGES_1
#define MESSAGES_1 1            /* messages that side 1 may send */
#endif
#ifndef ROOM
#define ROOM 2                  /* frames on their way before a writer must wait */
#endif
#ifndef HELD
#define HELD 1                  /* messages held untaken before reading stops (L-6) */
#endif

/* What may happen; `run` switches it on. */
#ifdef FAULTS
#define MAY_FAIL true           /* any number of cuts, deaths and aborts */
#define MAY_HANG false
#else
#ifdef ONE_FAULT
#define MAY_FAIL !fault         /* one cut, death, abort, hang or silence, and then patience: does every run still end? */
#define MAY_HANG !fault
#else
#define MAY_FAIL false
#define MAY_HANG false
#endif
#endif
#ifdef PIECES
#define MAY_PIECE true          /* messages in pieces, one of them withdrawn */
#else
#define MAY_PIECE false
#endif
#ifdef PINGS
#define MAY_PING true           /* one PING by each side */
#else
#define MAY_PING false
#endif

#ifndef NEVER
#define NEVER false
#endif

/* One unnamed mtype on purpose: Spin 6.5.2 shares a local variable of a named one between processes. */
mtype = { MESSAGE, PIECE, DISCARD, END, RECEIPT, STOP, FINAL_RECEIPT, PING, PONG, ABORT, EOF };
mtype = { COMPLETE, STOPPED, TRUNCATED, DELIVERED, PARTIAL, UNCONFIRMED };
mtype = { OPEN, FAILED, CLOSING };

/* One last word, ABORT or EOF, always finds a place behind the frames that had to wait for ROOM. */
chan way[2] = [ROOM + 1] of { mtype, byte };

/* A side as a sender. */
byte sent[2];                   /* whole messages sent, withdrawn ones not counted */
bit in_pieces[2];               /* a PIECE is out, its MESSAGE or DISCARD is not */
bit withdrew[2];                /* bounds the messages in pieces that are withdrawn to one */
bit end_sent[2];
bit stop_read[2];
bit final_read[2];
byte confirmed[2];              /* the highest count that the peer has told us */

/* A side as a receiver. */
byte arrived[2];                /* whole messages read, discarded ones included */
byte taken[2];
bit peer_in_pieces[2];
bit end_read[2];
byte end_count[2];
bit not_taking[2];              /* the application has stopped taking */
bit stop_due[2];
bit final_sent[2];
byte receipted[2];              /* the highest count that we have told the peer */

/* Both. */
bit pinged[2];                  /* bounds our PINGs to one */
bit pong_awaited[2];
bit pong_due[2];

/* The outcome, written by write_received and write_sent alone. */
mtype received[2];
byte received_taken[2];
byte received_of[2];            /* n of Complete, sent of Stopped, arrived of Truncated */
mtype confirmation[2];
byte confirmation_taken[2];
byte confirmation_of[2];

/* The world. */
bit deaf[2];                    /* side i reads its transport no more */
bit broken[2];                  /* a reset may have destroyed what side i has not yet read */
bit silence;                    /* nothing arrives any more, not even EOF */
bit gone[2];                    /* side i died or hangs: it owes nobody an outcome */
bit ended[2];                   /* side i has nothing left to do */
bit fault;                      /* something happened that voids I3 */

#define peer (1 - me)
#define most(side) (side == 0 -> MESSAGES_0 : MESSAGES_1)
#define room (deaf[peer] || len(way[me]) < ROOM)
#define held (arrived[me] - taken[me])
#define hears (len(way[peer]) > 0 && !silence)
#define reads (not_taking[me] || held < HELD)
#define may_send (phase == OPEN && !end_sent[me] && room)
#define may_start (may_send && !stop_read[me] && !in_pieces[me] && sent[me] < most(me))
#define all_taken (end_read[me] && taken[me] == end_count[me])
#define final_due (!final_sent[me] && end_read[me] && (all_taken || not_taking[me]))
#define over (end_sent[me] && end_read[me] && final_sent[me] && final_read[me])

/* ---- the transport ------------------------------------------------------------------------- */

inline put(what, n) {
  if
  :: !deaf[peer] -> way[me]!what, n
#ifdef FAULTS
  :: deaf[peer]                                     /* lost; and EOF may come at any moment anyway */
#else
  :: deaf[peer] -> broken[me] = 1                   /* lost, and answered by a reset */
#endif
  fi
}

inline empty_way(w) {
  do :: len(way[w]) > 0 -> way[w]?_, _ :: len(way[w]) == 0 -> break od
}

/* What nobody will look at any more is set to zero, so that equal futures are equal states. */
inline leave_transport() {
  empty_way(peer);
  deaf[me] = 1; broken[me] = 0;
  in_pieces[me] = 0; withdrew[me] = 0; stop_read[me] = 0; final_read[me] = 0; confirmed[me] = 0;
  peer_in_pieces[me] = 0; stop_due[me] = 0; final_sent[me] = 0; receipted[me] = 0;
  pinged[me] = 0; pong_awaited[me] = 0; pong_due[me] = 0
}

/* ---- the outcome --------------------------------------------------------------------------- */

inline write_received(what, n) {
  assert(received[me] == 0);                                                /* I5, E-12: written once */
  received[me] = what; received_taken[me] = taken[me]; received_of[me] = n;
  if
  :: what == COMPLETE ->
     assert(end_sent[peer] && n == sent[peer] && taken[me] == n)            /* I1: the peer ended, all that it sent is taken */
  :: what == STOPPED ->
     assert(end_sent[peer] && n == sent[peer] && taken[me] < n)             /* E-1, E-5: the peer ended, the rest is discarded */
  :: what == TRUNCATED ->
     assert(!end_read[me]);                                                 /* E-12: an END once read is not undone */
     assert(taken[me] <= n && n <= sent[peer])                              /* E-10: what arrived is a prefix */
  fi
}

inline write_sent(what, t) {
  assert(confirmation[me] == 0);                                            /* I5, E-12: written once */
  confirmation[me] = what; confirmation_taken[me] = t; confirmation_of[me] = sent[me];
  if
  :: what == DELIVERED ->
     assert(taken[peer] == sent[me] && received[peer] == COMPLETE)          /* I2, E-11: the peer's application has taken all */
  :: what == PARTIAL ->
     assert(taken[peer] == t && t < sent[me] && not_taking[peer])           /* I2, E-11: exactly t, and no more will follow */
  :: what == UNCONFIRMED ->
     assert(taken[peer] >= t)                                               /* E-11: at least t */
  fi
}

/* The session has failed and the application takes no more. */
inline settle() {
  if
  :: received[me] != 0
  :: received[me] == 0 && end_read[me] -> write_received(STOPPED, end_count[me])
  :: received[me] == 0 && !end_read[me] -> write_received(TRUNCATED, arrived[me])
  fi
}

/* Nothing more is read, nothing more written. Whole messages that came before can still be taken (E-9). */
inline fail() {
  phase = FAILED;
  if
  :: confirmation[me] != 0
  :: confirmation[me] == 0 && stop_read[me] && confirmed[me] < sent[me] -> write_sent(PARTIAL, confirmed[me])
  :: confirmation[me] == 0 && !(stop_read[me] && confirmed[me] < sent[me]) -> write_sent(UNCONFIRMED, confirmed[me])
  fi;
#ifdef WRONG_EOF_UNDOES_END
  if :: end_read[me] -> received[me] = 0; write_received(TRUNCATED, arrived[me]) :: else fi;
#endif
#ifdef WRONG_FAILURE_REWRITES
  if :: end_read[me] -> write_received(TRUNCATED, arrived[me]) :: else fi;
#endif
#ifdef WRONG_TAKES_AFTER_TRUNCATED
  if :: received[me] == 0 && !end_read[me] -> write_received(TRUNCATED, arrived[me]) :: else fi;
#endif
  leave_transport();
  if
  :: not_taking[me] || held == 0 -> settle()
  :: else
  fi
}

/* E-8, L-14: shut down writing; what still comes is read off before the transport is let go. */
inline finish_session() {
  put(EOF, 0);
#ifdef WRONG_NO_READ_OFF
  if :: len(way[peer]) > 0 -> broken[peer] = 1 :: else fi;
  leave_transport(); goto done
#else
#ifdef FAULTS
  leave_transport(); goto done                      /* what a reset can destroy, EOF at any moment destroys too */
#else
  phase = CLOSING
#endif
#endif
}

/* ---- what arrives -------------------------------------------------------------------------- */

inline count_arrives(n) {
  assert(!final_read[me]);                                                  /* E-7: no count after FINAL_RECEIPT */
  assert(n >= confirmed[me] && n <= sent[me]);                              /* T-16: counts never fall, nor pass what was sent */
  assert(!stop_read[me] || n == confirmed[me]);                             /* E-5, E-6: no later count differs from that of STOP */
  confirmed[me] = n
}

inline end_arrives(n) {
  assert(!end_read[me]);                                                    /* E-3: one END */
  assert(!peer_in_pieces[me]);                                              /* E-2: no END inside a message */
  assert(n == arrived[me]);                                                 /* E-1: n is what has come */
  end_read[me] = 1; end_count[me] = n;
  if
#ifdef WRONG_END_COUNT_IGNORED
  :: true -> write_received(COMPLETE, n)
#else
  :: all_taken -> write_received(COMPLETE, n)
  :: !all_taken && not_taking[me] -> write_received(STOPPED, n)
  :: else
#endif
  fi
}

inline meet_eof() {
  assert(fault);                                                            /* I3: nobody leaves without a fault */
#ifdef WRONG_EOF_IS_END
  if :: !end_read[me] && !peer_in_pieces[me] -> end_arrives(arrived[me]) :: else fi;
#endif
  put(ABORT, 0);
  fail()
}

inline read_one() {
  way[peer]?frame, number;
  if
  :: frame == MESSAGE ->
     assert(!end_read[me]);                                                 /* E-3: no message after END */
     assert(number == arrived[me] + 1);                                     /* T-14: once, and in order */
     arrived[me]++; peer_in_pieces[me] = 0
  :: frame == PIECE ->
     assert(!end_read[me] && !peer_in_pieces[me]);                          /* E-3, T-7: where a message may begin */
     peer_in_pieces[me] = 1
  :: frame == DISCARD ->
     assert(!end_read[me] && peer_in_pieces[me]);                           /* T-19: only inside a message */
     peer_in_pieces[me] = 0
  :: frame == END ->
     end_arrives(number)
  :: frame == RECEIPT ->
     count_arrives(number)
#ifdef WRONG_RECEIPT_IS_FINAL
     ; if :: end_sent[me] && number == sent[me] && confirmation[me] == 0 -> write_sent(DELIVERED, number) :: else fi
#endif
  :: frame == STOP ->
     assert(!stop_read[me]);                                                /* E-4: one STOP */
     count_arrives(number); stop_read[me] = 1
#ifdef WRONG_STOP_IS_FINAL
     ; if :: end_sent[me] && number == sent[me] && confirmation[me] == 0 -> write_sent(DELIVERED, number) :: else fi
#endif
  :: frame == FINAL_RECEIPT ->
     assert(end_sent[me]);                                                  /* E-7: not before our END */
     count_arrives(number); final_read[me] = 1;
     if
#ifdef WRONG_FINAL_COUNT_IGNORED
     :: true -> write_sent(DELIVERED, number)
#else
     :: number == sent[me] -> write_sent(DELIVERED, number)
     :: number != sent[me] -> write_sent(PARTIAL, number)
#endif
     fi;
     if :: over -> frame = 0; number = 0; finish_session() :: else fi
  :: frame == PING ->
     assert(!pong_due[me]);                                                 /* T-15: one at a time */
     pong_due[me] = 1
  :: frame == PONG ->
     assert(pong_awaited[me]);                                              /* T-15: only when asked */
     pong_awaited[me] = 0
  :: frame == ABORT ->
     assert(fault);                                                         /* I3: nobody aborts without a fault */
     fail()
  :: frame == EOF ->
     meet_eof()
  fi;
  frame = 0; number = 0
}

/* ---- the end ------------------------------------------------------------------------------- */

inline stop_taking() {
  not_taking[me] = 1;
  if
  :: end_read[me] && received[me] == 0 -> write_received(STOPPED, end_count[me])
  :: end_read[me] && received[me] != 0
  :: !end_read[me] -> stop_due[me] = 1
  fi
}

inline put_final() {
#ifdef WRONG_STOP_COUNT_LOST
  put(FINAL_RECEIPT, arrived[me]);
#else
#ifdef WRONG_FINAL_BEFORE_TAKEN
  if
  :: not_taking[me] -> put(FINAL_RECEIPT, taken[me])
  :: !not_taking[me] -> put(FINAL_RECEIPT, end_count[me])
  fi;
#else
  put(FINAL_RECEIPT, taken[me]);
#endif
#endif
  final_sent[me] = 1;
  if :: over -> finish_session() :: else fi
}

/* When both sides are through, the two outcomes of a direction must fit each other. */
inline judge_direction(from, to) {
  assert(!(NEVER));                                                         /* witness: this end is reached */
  assert(gone[from] || confirmation[from] != 0);                            /* I4: each side gets an outcome as sender */
  assert(gone[to] || received[to] != 0);                                    /* I4: each side gets an outcome as receiver */
  assert(received[to] == 0 || taken[to] == received_taken[to]);             /* I5, I6: nothing is taken after the outcome */
  assert(received[to] != COMPLETE || (received_of[to] == sent[from] && taken[to] == sent[from]));  /* I1: Complete(n) is all n */
  assert(received[to] != STOPPED || received_of[to] == sent[from]);         /* E-1: the peer's n */
  assert(received[to] != TRUNCATED || received_of[to] == arrived[to]);      /* I6: nothing arrives after Truncated */
  assert(confirmation[from] != DELIVERED || received[to] == COMPLETE);      /* I2: Delivered here is Complete there */
  assert(confirmation[from] != DELIVERED || taken[to] == sent[from]);       /* I2: Delivered is all */
  assert(confirmation[from] != PARTIAL || taken[to] == confirmation_taken[from]);      /* I2: Partial is exact */
  assert(confirmation[from] != PARTIAL || received[to] != COMPLETE);        /* I2: Partial here is not Complete there */
  assert(confirmation[from] != UNCONFIRMED || taken[to] >= confirmation_taken[from]);  /* E-11: at least */
  assert(confirmation[from] == 0 || confirmation_of[from] == sent[from]);   /* I5: nothing is sent after the outcome */
  assert(fault || taken[to] < sent[from] || (received[to] == COMPLETE && confirmation[from] == DELIVERED)); /* I3: no fault, all taken: both know */
  assert(fault || taken[to] == sent[from] || (received[to] == STOPPED && confirmation[from] == PARTIAL))    /* I3: no fault, stopped: both know */
}

/* ---- one side ------------------------------------------------------------------------------ */

proctype side(bit me) {
  mtype phase = OPEN;
  mtype frame = 0;
  byte number = 0;

  do
  /* The application sends. */
  :: atomic { may_start -> sent[me]++; put(MESSAGE, sent[me]) }
  :: atomic { MAY_PIECE && may_start && !withdrew[me] -> in_pieces[me] = 1; put(PIECE, 0) }
  :: atomic { may_send && in_pieces[me] -> in_pieces[me] = 0; sent[me]++; put(MESSAGE, sent[me]) }
  :: atomic { may_send && in_pieces[me] -> in_pieces[me] = 0; withdrew[me] = 1; put(DISCARD, 0) }
#ifdef WRONG_WITHDRAWN_COUNTED
  :: atomic { may_send && !in_pieces[me] -> end_sent[me] = 1; put(END, sent[me] + withdrew[me]) }
#else
#ifdef WRONG_END_IN_PIECES
  :: atomic { may_send -> end_sent[me] = 1; put(END, sent[me]) }
#else
  :: atomic { may_send && !in_pieces[me] -> end_sent[me] = 1; put(END, sent[me]) }
#endif
#endif

  /* The application takes, also what came before a failure. */
#ifdef WRONG_TAKES_AFTER_STOP
  :: atomic { phase != CLOSING && held > 0 && received[me] == 0 ->
#else
#ifdef WRONG_TAKES_AFTER_TRUNCATED
  :: atomic { phase != CLOSING && held > 0 && !not_taking[me] ->
#else
  :: atomic { phase != CLOSING && held > 0 && !not_taking[me] && received[me] == 0 ->
#endif
#endif
       assert(received[me] == 0);                                           /* I6: nothing is delivered after the outcome */
       taken[me]++;
       if
       :: all_taken -> write_received(COMPLETE, end_count[me])
       :: !end_read[me] && phase == FAILED && held == 0 -> write_received(TRUNCATED, arrived[me])
       :: else
       fi }

  /* The application stops taking. To close is to end and to stop taking. */
  :: atomic { phase == OPEN && !not_taking[me] -> stop_taking() }
  :: atomic { phase == FAILED && received[me] == 0 -> not_taking[me] = 1; settle() }

  /* Answers, each from its slot: STOP and FINAL_RECEIPT go before a RECEIPT (L-7). */
  :: atomic { phase == OPEN && stop_due[me] && room ->
       stop_due[me] = 0; receipted[me] = taken[me]; put(STOP, taken[me]) }
#ifdef WRONG_RECEIPT_AFTER_FINAL
  :: atomic { phase == OPEN && taken[me] > receipted[me] && !stop_due[me] && room ->
#else
  :: atomic { phase == OPEN && taken[me] > receipted[me] && !stop_due[me] && !final_due && !final_sent[me] && room ->
#endif
       receipted[me] = taken[me]; put(RECEIPT, taken[me]) }
#ifdef WRONG_FINAL_BEFORE_TAKEN
  :: atomic { phase == OPEN && end_read[me] && !final_sent[me] && !stop_due[me] && room -> put_final() }
#else
#ifdef WRONG_FINAL_BEFORE_END
  :: atomic { phase == OPEN && not_taking[me] && !final_sent[me] && !stop_due[me] && room -> put_final() }
#else
  :: atomic { phase == OPEN && final_due && !stop_due[me] && room -> put_final() }
#endif
#endif
  :: atomic { phase == OPEN && pong_due[me] && room -> pong_due[me] = 0; put(PONG, 0) }
  :: atomic { MAY_PING && phase == OPEN && !pinged[me] && room ->
       pinged[me] = 1; pong_awaited[me] = 1; put(PING, 0) }

  /* The library reads. */
#ifdef WRONG_READING_WAITS
  :: atomic { phase == OPEN && hears && reads && room -> read_one() }
#else
#ifdef WRONG_DEAF_ONCE_CONFIRMED
  :: atomic { phase == OPEN && hears && reads && !final_read[me] -> read_one() }
#else
  :: atomic { phase == OPEN && hears && reads -> read_one() }
#endif
#endif
  :: atomic { phase == CLOSING && hears ->
       way[peer]?frame, _;
       if
       :: frame == EOF -> frame = 0; leave_transport(); goto done
       :: frame != EOF -> frame = 0
       fi }

  /* The session has failed and the application has its outcome. */
  :: atomic { phase == FAILED && received[me] != 0 -> goto done }

  /* A time limit passes when nothing else in the world can happen; under FAULTS at any moment, as an abort. */
#ifndef WRONG_NO_DEADLINE
  :: atomic { phase == OPEN && timeout ->
       assert(fault);                                                       /* I3, I4: without a fault no deadline is needed */
       not_taking[me] = 1; put(ABORT, 0); fail() }
#endif
  :: atomic { phase == CLOSING && timeout ->
       assert(fault);                                                       /* I3, I4: without a fault no limit is needed */
       leave_transport(); goto done }

  /* Faults: EOF too early, an abort, a death, a death without EOF, a network gone silent. */
  :: atomic { phase == OPEN && (MAY_FAIL || broken[me]) -> fault = (broken[me] -> fault : 1); meet_eof() }
  :: atomic { MAY_FAIL && phase == OPEN -> fault = 1; not_taking[me] = 1; put(ABORT, 0); fail() }
  :: atomic { MAY_FAIL && phase == OPEN -> fault = 1; gone[me] = 1; put(EOF, 0); leave_transport(); goto done }
  :: atomic { MAY_FAIL && phase == FAILED && received[me] == 0 -> gone[me] = 1; goto done }
  :: atomic { MAY_HANG -> fault = 1; gone[me] = 1; goto done }
  :: atomic { MAY_HANG -> fault = 1; silence = 1 }
  od;

done:
  atomic {
    phase = 0;
    ended[me] = 1;
    if
    :: ended[peer] -> judge_direction(0, 1); judge_direction(1, 0)
    :: !ended[peer]
    fi
  }
}

init { atomic { run side(0); run side(1) } }

ltl ends { <> (ended[0] && ended[1]) }
