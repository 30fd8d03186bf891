/* means.h: the ways to make a running daemon's system calls fail, and how often they did. */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>

#include "tests/faults/fault.h"
#include "tests/http/daemon.h"

/* One of these three. */
struct fault {
        uint64_t calls; /* of the test build: FAULT_OF() each */
        int error;
        unsigned every, whose, cut;

        const char *inject; /* strace's: "accept4:error=ENFILE:when=1+3" */

        __rlimit_resource_t resource; /* lowered, where `limit` is not 0 */
        rlim_t limit;                 /* of RLIMIT_AS: above what the daemon has */
};

/* Before any daemon is started: the page that daemons of the test build read. */
void means_open(void);
void means_close(void);
struct fault_page *means_page(void);

struct means; /* a fault that is on */

/* NULL when it cannot be had here; `reason` then says why. */
struct means *means_begin(const struct daemon *daemon, const struct fault *fault, const char **reason);

/* How often calls failed so far; of a limit, nobody counts (0), nor does strace before its end. */
unsigned means_count(const struct means *means);

/* Ends it. Returns how often calls failed. */
unsigned means_end(struct means *means);
