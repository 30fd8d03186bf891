/* background.h: a few threads for what has no non-blocking form: name resolution, closing with SO_LINGER. */
#pragma once

struct background_job {
        void (*run)(struct background_job *job); /* frees the job's memory itself */
        struct background_job *next;
};

/* Starts the threads on first use. Safe from any thread, and from a job. A job that cannot be queued is run
 * at once. */
void background_submit(struct background_job *job);

/* Waits for the jobs that are queued or run, and ends the threads. A later submit starts them again. Not from
 * a job. */
void background_stop(void);
