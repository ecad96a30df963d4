// correlation of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what correlation.tc is held against.
#include <math.h>

#ifndef M
#define M 1200
#endif
#ifndef N
#define N 1400
#endif

void correlation(double data[N][M], double corr[M][M], double mean[M], double dev[M]) {
  for (int j = 0; j < M; j++) {
    mean[j] = 0;
    for (int i = 0; i < N; i++) mean[j] += data[i][j];
    mean[j] /= N;
  }
  for (int j = 0; j < M; j++) {
    dev[j] = 0;
    for (int i = 0; i < N; i++) dev[j] += (data[i][j] - mean[j]) * (data[i][j] - mean[j]);
    dev[j] = sqrt(dev[j] / N);
    if (dev[j] <= 0.1) dev[j] = 1;
  }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < M; j++) data[i][j] = (data[i][j] - mean[j]) / (sqrt((double)N) * dev[j]);
  for (int i = 0; i < M; i++) {
    corr[i][i] = 1;
    for (int j = i + 1; j < M; j++) {
      corr[i][j] = 0;
      for (int k = 0; k < N; k++) corr[i][j] += data[k][i] * data[k][j];
      corr[j][i] = corr[i][j];
    }
  }
}
