// Answers each number of threads on stdin with the GFLOP/s that multiply-adds alone reach on them, a line each; sleeps
// in between, so that a bench can take turns with it.
#include <cstdio>

#include "cpu/parallel.h"
#include "fma_peak.h"

int main() {
  int nThreads = 0;
  while (std::scanf("%d", &nThreads) == 1 && nThreads >= 1) {
    hrm::cpu::ThreadPool pool(nThreads);
    std::printf("%.1f\n", bench::fma_peak(pool));
    std::fflush(stdout);
  }
  return 0;
}
