/* Random numbers, and memory of exact size that is given back as a whole: what the programs for the sanitizers share. */

#include <stdint.h>
#include <stdlib.h>

static uint64_t state;

static int64_t below(int64_t n) { /* Steele, Lea and Flood (2014): SplitMix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (int64_t)((z ^ (z >> 31)) % (uint64_t)n);
}

static void *taken[4096];
static int n_taken;

static void *take(int64_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory || n_taken == 4096)
        exit(2);
    return taken[n_taken++] = memory;
}

static void give_back(void) {
    while (n_taken)
        free(taken[--n_taken]);
}
