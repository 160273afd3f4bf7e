#include "net/sys/hangup.h"

#include <sys/epoll.h>
#include <unistd.h>

int hangup_open(int fd)
{
    struct epoll_event nothing = {.events = 0};
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &nothing) != 0) {
        (void)close(epoll);
        return -1;
    }
    return epoll;
}
