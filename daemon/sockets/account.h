/* account.h: whose sockets and calls these are. */
#pragma once

enum { ACCOUNT_NAME_SIZE = 64 };

/* One per name, made when the name is first known; lives as long as the daemon. */
struct account {
        char name[ACCOUNT_NAME_SIZE]; /* letters, digits, "-", "_", "." */
};
