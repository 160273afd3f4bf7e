/*
 * hangup: tells when nobody reads a descriptor any more, without writing to it.
 *
 * A pipe whose reader has gone is in error for poll(), whatever is asked for; libevent has no event
 * that stands for this alone. So an epoll instance that asks for nothing else stands in between: it
 * is readable once the other end has gone.
 */
#ifndef NET_SYS_HANGUP_H
#define NET_SYS_HANGUP_H

/* A descriptor to wait on and to close, which becomes readable once the other end of `fd` has gone.
 * -1 for what has no other end, as a file. */
int hangup_open(int fd);

#endif
