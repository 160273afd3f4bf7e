/*
 * acl_file: the rules of REPRAM_ACL_FILE, or a sentence that says what is wrong with it.
 */
#ifndef CMD_SETTINGS_ACL_FILE_H
#define CMD_SETTINGS_ACL_FILE_H

#include "net/access/acl.h"

enum { ACL_FILE_WHY_SIZE = 512 };

/* The caller's to free; NULL with *ret_why filled, which names the path. */
struct acl *acl_file_read(const char *path, char ret_why[static ACL_FILE_WHY_SIZE]);

#endif
