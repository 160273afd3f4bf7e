#include "net/sys/proc_figures.h"

#include "core/base/parse.h"
#include "net/sys/hostclock.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* In bytes they still fit. A sanitizer maps far more than 2^32 pages. */
static const uint64_t PAGES_MAX = UINT64_MAX >> 16;

/* /proc/self/statm: size, resident, shared, ... in pages, separated by spaces. */
static void read_memory(struct proc_figures *ret_figures)
{
    char text[128];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (len <= 0) {
        return;
    }
    text[len] = '\0';
    const size_t first = strcspn(text, " ");
    const char *second = text + first + (text[first] == ' ' ? 1 : 0);
    uint64_t size = 0, resident = 0;
    if (parse_u64(text, first, PAGES_MAX, &size) == RC_OK &&
        parse_u64(second, strcspn(second, " \n"), PAGES_MAX, &resident) == RC_OK) {
        const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        ret_figures->virtual_bytes = size * page;
        ret_figures->resident_bytes = resident * page;
    }
}

static uint64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return 0;
    }
    uint64_t count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return count > 0 ? count - 1 : 0; /* without the folder's own */
}

void proc_figures_read(struct proc_figures *ret_figures)
{
    const long max_fds = sysconf(_SC_OPEN_MAX); /* -1: there is no limit */
    *ret_figures = (struct proc_figures){.cpu_us = hostclock_process_us(),
                                         .open_fds = open_descriptors(),
                                         .max_fds = max_fds < 0 ? UINT64_MAX : (uint64_t)max_fds};
    read_memory(ret_figures);
}
