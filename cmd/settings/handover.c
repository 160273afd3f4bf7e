#include "cmd/settings/handover.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/crypto/key_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_secret(enum setting_id id)
{
    return (settings_def(id)->traits & TRAIT_SECRET) != 0;
}

void handover_wipe_environment(char *const *environment)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        for (int id = 0; id < SETTING_COUNT; id++) {
            const char *name = settings_def((enum setting_id)id)->name;
            const size_t len = strlen(name);
            if (is_secret((enum setting_id)id) && strncmp(*environment, name, len) == 0 &&
                (*environment)[len] == '=') {
                mem_wipe(*environment + len + 1, strlen(*environment + len + 1));
            }
        }
    }
}

bool handover_has_any(const struct settings *s)
{
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (is_secret((enum setting_id)id) && settings_is_set(s, (enum setting_id)id)) {
            return true;
        }
    }
    return false;
}

enum keyring_state handover_sealing(const struct settings *s)
{
    const char *text = settings_text(s, SETTING_CLUSTER_SECRET);
    struct keyring_items items = {.count = 0};
    char fault[KEY_TEXT_FAULT_SIZE];
    if (*text != '\0') {
        const enum rc rc = key_text_parse(text, strlen(text), &items, fault);
        ASSERT(rc == RC_OK); /* it was judged when it was loaded */
    }
    bool has_open = false;
    uint32_t keys = 0;
    for (uint32_t i = 0; i < items.count; i++) {
        has_open = has_open || items.items[i].is_open;
        keys += items.items[i].is_open ? 0 : 1;
    }
    mem_wipe(&items, sizeof(items));
    return keys == 0 ? SEALING_OPEN : (has_open ? SEALING_MIXED : SEALING_SEALED);
}

void handover_close_process(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0);
}

/* NAME=value and a newline; no secret has one in it. */
static bool write_line(int fd, const char *name, const char *value)
{
    const size_t size = strlen(name) + strlen(value) + 3;
    char *line = mem_new(size, 1);
    const int len = snprintf(line, size, "%s=%s\n", name, value);
    const bool is_written = write(fd, line, (size_t)len) == len;
    mem_wipe(line, size);
    free(line);
    return is_written;
}

int handover_seal(const struct settings *s)
{
    const int fd = memfd_create("repram-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool is_ok = fd >= 0;
    for (int id = 0; id < SETTING_COUNT && is_ok; id++) {
        const char *text = settings_text(s, (enum setting_id)id);
        if (is_secret((enum setting_id)id) && *text != '\0') {
            is_ok = write_line(fd, settings_def((enum setting_id)id)->name, text);
        }
    }
    if (is_ok &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0) {
        return fd;
    }
    const int error = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = error;
    return -1;
}

enum rc handover_read(int fd, struct config_file *ret_file)
{
    struct stat at;
    unsigned line = 0;
    if (fstat(fd, &at) != 0 || at.st_size < 0 || at.st_size > CONFIG_FILE_BYTES_MAX) {
        return RC_IO;
    }
    const size_t size = (size_t)at.st_size;
    char *text = mem_new(size + 1, 1);
    /* Its position is shared with the launcher's other children. */
    const bool is_read = pread(fd, text, size, 0) == (ssize_t)size;
    const enum rc rc = is_read ? config_file_parse(ret_file, text, size, &line) : RC_IO;
    mem_wipe(text, size);
    free(text);
    return rc;
}
