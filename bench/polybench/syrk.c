// syrk of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what syrk.tc is held against.
#ifndef M
#define M 1000
#endif
#ifndef N
#define N 1200
#endif

void syrk(double alpha, double beta, double C[N][N], double A[N][M]) {
  for (int i = 0; i < N; i++) {
    for (int j = 0; j <= i; j++) C[i][j] *= beta;
    for (int k = 0; k < M; k++)
      for (int j = 0; j <= i; j++) C[i][j] += alpha * A[i][k] * A[j][k];
  }
}
