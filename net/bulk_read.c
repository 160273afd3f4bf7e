#include "net/bulk_read.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

/* Less than a quarter by what libevent and malloc() put before it: the piece stays on the heap,
 * where one of 64 KiB would be mapped and unmapped each time. */
enum { PIECE_BYTES = BULK_READ_TURN_MAX / 4 - 256 };

size_t bulk_read(struct bufferevent *bev)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    struct evbuffer_iovec room;
    size_t len = 0;
    /* A bufferevent freezes the end of its input against everybody but itself. */
    (void)evbuffer_unfreeze(in, 0);
    if (evbuffer_reserve_space(in, PIECE_BYTES, &room, 1) == 1) {
        const size_t wanted = room.iov_len < PIECE_BYTES ? room.iov_len : PIECE_BYTES;
        const ssize_t got = recv(bufferevent_getfd(bev), room.iov_base, wanted, MSG_DONTWAIT);
        room.iov_len = got > 0 ? (size_t)got : 0;
        if (evbuffer_commit_space(in, &room, 1) == 0) {
            len = room.iov_len;
        }
    }
    (void)evbuffer_freeze(in, 0);
    return len;
}
