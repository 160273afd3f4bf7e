#include "net/sys/proc_figures.h"

#include "core/base/parse.h"
#include "net/sys/hostclock.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* /proc/self/statm: size, resident, shared, ... in pages, separated by spaces. */
static uint64_t resident_bytes(void)
{
    char text[128];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    const ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (len <= 0) {
        return 0;
    }
    text[len] = '\0';
    const char *resident = strchr(text, ' ');
    uint64_t pages = 0;
    if (resident == NULL ||
        parse_u64(resident + 1, strcspn(resident + 1, " \n"), UINT32_MAX, &pages) != RC_OK) {
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
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
    ret_figures->rss_bytes = resident_bytes();
    ret_figures->cpu_us = hostclock_process_us();
    ret_figures->open_fds = open_descriptors();
}
