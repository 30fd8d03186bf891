/* caller.h: who makes a call, and what they may do. */
#pragma once

#include <stdbool.h>

#include "daemon/sockets/account.h"

struct caller {
        struct account *account; /* NULL: nobody known, who may do what anyone may */
        const char *policy;      /* "" or the name that rules of the policy may ask for; lives for ever */
        bool operates;           /* may change things; else only look */
        bool administers;        /* reaches the sockets of others, and the daemon's own business */
};
