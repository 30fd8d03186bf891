/* background.c: a queue of jobs, and a few threads that are started when it fills. */
#include "daemon/sockets/background.h"

#include <time.h>

#include "daemon/sockets/cleanup.h"
#include "daemon/sockets/thread.h"

enum { THREADS_MAX = 4 };

static const int64_t NS_PER_S = 1000000000;

static struct {
        pthread_mutex_t lock; /* guards all below */
        pthread_cond_t changed;
        struct background_job *first, **end;
        unsigned queued, idle;     /* jobs that no thread has taken, threads that have none */
        unsigned threads, running; /* started, and not yet at their end */
        bool stopping;
        pthread_t thread[THREADS_MAX];
} background = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .end = &background.first,
};

/* The next job, waiting for one; NULL when it is time to stop and none is left. */
static struct background_job *take_job(void)
{
        LOCK_SCOPE(&background.lock);
        background.idle++;
        while (background.first == NULL && !background.stopping)
                pthread_cond_wait(&background.changed, &background.lock);
        background.idle--;
        struct background_job *const job = background.first;
        if (job == NULL)
                return NULL;
        background.first = job->next;
        if (background.first == NULL)
                background.end = &background.first;
        background.queued--;
        return job;
}

static void *work(void *unused)
{
        (void)unused;
        pthread_setname_np(pthread_self(), "background");
        for (struct background_job *job = take_job(); job != NULL; job = take_job())
                job->run(job);
        LOCK_SCOPE(&background.lock);
        background.running--;
        pthread_cond_broadcast(&background.changed);
        return NULL;
}

static void start_thread(void)
{
        if (thread_start(&background.thread[background.threads], work, NULL) == 0) {
                background.threads++;
                background.running++;
        }
}

static bool queue_job(struct background_job *job)
{
        LOCK_SCOPE(&background.lock);
        if (background.stopping)
                return false;
        /* A started thread counts as idle only once it runs; one too many does no harm. */
        if (background.idle <= background.queued && background.threads < THREADS_MAX)
                start_thread();
        if (background.threads == 0)
                return false;
        job->next = NULL;
        *background.end = job;
        background.end = &job->next;
        background.queued++;
        pthread_cond_signal(&background.changed);
        return true;
}

void background_submit(struct background_job *job)
{
        if (!queue_job(job))
                job->run(job);
}

/* Whether all threads came to their end before the deadline. */
static bool await_end(const struct timespec *deadline)
{
        LOCK_SCOPE(&background.lock);
        background.stopping = true;
        pthread_cond_broadcast(&background.changed);
        while (background.running > 0)
                if (pthread_cond_clockwait(
                            &background.changed, &background.lock, CLOCK_MONOTONIC, deadline) != 0)
                        return background.running == 0;
        return true;
}

bool background_stop(int64_t deadline_ns)
{
        const struct timespec deadline = { .tv_sec = deadline_ns / NS_PER_S,
                .tv_nsec = deadline_ns % NS_PER_S };
        if (!await_end(&deadline))
                return false;
        for (unsigned thread = 0; thread < background.threads; thread++)
                pthread_join(background.thread[thread], NULL);
        LOCK_SCOPE(&background.lock);
        background.threads = 0;
        background.stopping = false;
        return true;
}
