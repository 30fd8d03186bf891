/* background.h: a few threads for what has no non-blocking form: name resolution. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct background_job {
        void (*run)(struct background_job *job); /* frees the job's memory itself */
        struct background_job *next;
};

/* Starts the threads on first use. Safe from any thread, and from a job. A job that cannot be queued is run
 * at once. */
void background_submit(struct background_job *job);

/* Ends the threads once the jobs that are queued or run are done; a later submit starts them again. False:
 * the deadline (CLOCK_MONOTONIC) passed first, and what the jobs use must stay until the process ends. Not
 * from a job. */
bool background_stop(int64_t deadline_ns);
