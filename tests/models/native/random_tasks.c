/* Random tasks through train.c, for the sanitizers: random_tasks FIRST_SEED SEEDS. All memory has its exact size.
 *
 * Each task is done by each kind of processor that this one can play, and by the threads that OpenMP has.
 */

#include "../../../models/native/train.c"

#include <stdio.h>

#include "random_memory.h"

static float *numbers(int64_t n) {
    float *x = take(n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = below(50) ? (below(2000) - 1000) / 250.0f : below(2) ? 1e30f : -1e30f;
    return x;
}

int main(int count, char **words) {
    int64_t first = count > 1 ? atoll(words[1]) : 1, seeds = count > 2 ? atoll(words[2]) : 100;
    const char *kinds[] = {"plain", "avx2", ""};
    for (int64_t seed = first; seed < first + seeds; seed++) {
        state = seed;
        int64_t batch = 1 + below(3), length = 1 + below(40), kv = 1 + below(3), heads = kv * (1 + below(3));
        int64_t half = 1 + below(20), width = 2 * half, rows = batch * length, wide = 1 + below(150);
        int64_t all = heads + 2 * kv, factors = heads + kv;
        Task heads_task = {batch, length, width, heads, kv, below(2), below(2), 1e-5f, 0, 0, 0, 0, 0, 0, 0, 0};
        Task rows_task = {0, 0, wide, 0, 0, 0, 0, 1e-5f, 0, 0, 0, 0, 0, 0, 0, 0};
        for (int kind = 0; kind < 3; kind++) {
            train_open(kinds[kind]);
            for (int work = 0; work < 8; work++) {
                Task task = work < 4 ? rows_task : heads_task;
                int64_t n = rows;
                if (work < 2) {
                    task.a = numbers(rows * wide), task.out = numbers(rows * wide), task.out2 = numbers(rows);
                    task.b = numbers(rows * wide), task.c = numbers(rows), task.d = below(2) ? numbers(rows * wide) : 0;
                } else if (work < 4) {
                    task.a = numbers(2 * rows * wide), task.b = numbers(rows * wide);
                    task.out = numbers((work == 3 ? 2 : 1) * rows * wide), task.out2 = numbers(rows * wide);
                } else if (work < 6) {
                    task.a = numbers(rows * all * width), task.b = numbers(factors * width);
                    task.c = numbers(length * width), task.d = numbers(length * width);
                    task.e = numbers(rows * all * width);
                    if (work == 4) {
                        task.out = numbers(rows * heads * width);
                        task.out2 = numbers(rows * kv * width), task.out3 = numbers(rows * kv * width);
                    } else {
                        task.out = numbers(rows * all * width), task.out2 = numbers(batch * factors * width);
                        n = batch;
                    }
                } else {
                    n = batch * heads * length;
                    task.a = numbers(n * length), task.out = numbers(n * length);
                }
                train_compute(&task, work, n, 1 + below(3));
                give_back();
            }
        }
    }
    return 0;
}
