#include "cmd/settings/acl_file.h"

#include "cmd/settings/config_file.h"
#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct acl *acl_file_read(const char *path, char ret_why[static ACL_FILE_WHY_SIZE])
{
    struct acl_fault fault;
    char *text = NULL;
    size_t len = 0;
    /* It is read by each node, and by each HUP. */
    const enum rc rc = config_file_read_again(path, ACL_TEXT_MAX, &text, &len);
    if (rc != RC_OK) {
        (void)snprintf(ret_why, ACL_FILE_WHY_SIZE,
                       "%.256s cannot be read: %s; allowed: a readable file of at most 4 MiB", path,
                       config_file_why(rc));
        return NULL;
    }
    struct acl *acl = acl_parse(text, len, &fault);
    /* Whoever has put a token where its hash belongs should not find it in a core file. */
    mem_wipe(text, len);
    free(text);
    if (acl == NULL) {
        (void)snprintf(ret_why, ACL_FILE_WHY_SIZE, "%.256s line %u: %s", path, fault.line,
                       fault.text);
    }
    return acl;
}
