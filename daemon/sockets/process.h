/* process.h: what this process takes of its host, as /proc has it. */
#pragma once

#include <stdint.h>

/* What is not known is 0. */
struct process_usage {
        uint64_t resident; /* bytes of memory */
        uint64_t descriptors, most_descriptors;
        double started; /* seconds since 1970 */
};

struct process_usage process_usage(void);
