#include "cmd/settings/secret.h"

#include "cmd/settings/config_file.h"
#include "core/base/mem.h"
#include "net/crypto/key_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool secret_is_good(const char *name, const char *from, const char *text, size_t len,
                    struct report *errors)
{
    struct keyring_items items;
    char fault[KEY_TEXT_FAULT_SIZE];
    const enum rc rc = key_text_parse(text, len, &items, fault);
    if (rc == RC_OK) {
        mem_wipe(&items, sizeof(items));
        return true;
    }
    report_add(errors, "%s (%s): %s; allowed: %s", name, from,
               rc == RC_NO_MEMORY ? rc_text(rc) : fault, SECRET_KEYRING_TAKES);
    return false;
}

void secret_warn_of_readers(const char *name, const char *path, struct report *warnings)
{
    struct stat at;
    if (stat(path, &at) == 0 && S_ISREG(at.st_mode) && (at.st_mode & S_IROTH) != 0) {
        report_add(warnings,
                   "%.256s, which holds %s, can be read by every user of this host; better: by its "
                   "owner alone (chmod 600)",
                   path, name);
    }
}

char *secret_read(const char *name, const char *from, const char *path, bool is_read_again,
                  struct report *errors, struct report *warnings)
{
    char *text = NULL;
    size_t len = 0;
    const enum rc rc = (is_read_again ? config_file_read_again
                                      : config_file_read)(path, SECRET_BYTES_MAX, &text, &len);
    if (rc != RC_OK) {
        report_add(errors,
                   "%s_FILE=%.256s (%s) cannot be read: %s; allowed: a readable file of at most "
                   "64 KiB",
                   name, path, from, config_file_why(rc));
        return NULL;
    }
    secret_warn_of_readers(name, path, warnings);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        text[--len] = '\0';
    }
    if (!secret_is_good(name, from, text, len, errors)) {
        mem_wipe(text, len);
        free(text);
        return NULL;
    }
    return text;
}
