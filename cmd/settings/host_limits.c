#include "cmd/settings/host_limits.h"

#include "cmd/settings/config_file.h"
#include "core/base/parse.h"
#include "core/base/units.h"
#include "core/base/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PROC_BYTES_MAX = 64 * 1024, PATH_SIZE = 4096 };

/* Larger limits than this mean "none": version 1 writes 2^63 rounded to a page. */
static const uint64_t memory_max = UINT64_C(1) << 50;
static const uint64_t memory_fallback = UINT64_C(512) << 20;
static const uint64_t descriptors_max = 1000000;

/* The number that a file begins with; `memory_max` when there is none, as for "max". */
static uint64_t read_number(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    uint64_t value = memory_max;
    if (config_file_read(path, PROC_BYTES_MAX, &text, &len) == RC_OK) {
        if (parse_u64(text, strspn(text, "0123456789"), memory_max, &value) != RC_OK) {
            value = memory_max;
        }
        free(text);
    }
    return value;
}

/* A group's limit holds for everything below it, so the path is walked up to its root. */
static uint64_t group_limit(const char *root, const char *mount, const char *file, char *path)
{
    uint64_t limit = memory_max;
    for (;;) {
        char name[PATH_SIZE];
        (void)snprintf(name, sizeof(name), "%.256s/sys/fs/cgroup%s%.2048s/%s", root, mount, path,
                       file);
        limit = min_u64(limit, read_number(name));
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return limit;
        }
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup: `0::/path` for version 2, `n:memory:/path` for version 1. */
static uint64_t line_limit(const char *root, char *line)
{
    char *groups = strchr(line, ':');
    char *path = groups != NULL ? strchr(groups + 1, ':') : NULL;
    if (path == NULL) {
        return memory_max;
    }
    *path++ = '\0';
    groups++;
    if (*groups == '\0') {
        return group_limit(root, "", "memory.max", path);
    }
    if (strstr(groups, "memory") != NULL) {
        return group_limit(root, "/memory", "memory.limit_in_bytes", path);
    }
    return memory_max;
}

static uint64_t groups_limit(const char *root)
{
    char name[PATH_SIZE];
    char *text = NULL;
    size_t len = 0;
    uint64_t limit = memory_max;
    (void)snprintf(name, sizeof(name), "%.256s/proc/self/cgroup", root);
    if (config_file_read(name, PROC_BYTES_MAX, &text, &len) != RC_OK) {
        return limit;
    }
    char *rest = text;
    for (char *line; (line = words_next(&rest, "\n")) != NULL;) {
        limit = min_u64(limit, line_limit(root, line));
    }
    free(text);
    return limit;
}

/* MemTotal of /proc/meminfo, in KiB there. */
static uint64_t machine_memory(const char *root)
{
    static const char label[] = "MemTotal:";
    char name[PATH_SIZE];
    char *text = NULL;
    size_t len = 0;
    uint64_t kib = 0;
    (void)snprintf(name, sizeof(name), "%.256s/proc/meminfo", root);
    if (config_file_read(name, PROC_BYTES_MAX, &text, &len) != RC_OK) {
        return memory_fallback;
    }
    const char *at = strstr(text, label);
    if (at != NULL) {
        at += sizeof(label) - 1;
        at += strspn(at, " ");
        if (parse_u64(at, strspn(at, "0123456789"), memory_max / 1024, &kib) != RC_OK) {
            kib = 0;
        }
    }
    free(text);
    return kib > 0 ? kib * 1024 : memory_fallback;
}

uint64_t host_limits_memory(const char *root)
{
    const uint64_t limit = min_u64(groups_limit(root), machine_memory(root));
    return limit > 0 ? limit : memory_fallback;
}

uint64_t host_limits_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    const struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        limit = raised;
    }
    return min_u64(limit.rlim_cur, descriptors_max);
}
