/* caller.h: who makes a call, and what they may do. */
#pragma once

#include <stdbool.h>

#include "daemon/sockets/account.h"

struct caller {
        struct account *account;       /* NULL: nobody known, who may do what anyone may */
        char policy[POLICY_NAME_SIZE]; /* "" or a name that rules of the policy may ask for */
        bool operates;                 /* may change things; else only look */
        bool administers;              /* reaches the sockets of others, and the daemon's own business */
};
