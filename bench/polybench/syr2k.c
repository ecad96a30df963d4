// syr2k of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what syr2k.tc is held against.
#ifndef M
#define M 1000
#endif
#ifndef N
#define N 1200
#endif

void syr2k(double alpha, double beta, double C[N][N], double A[N][M], double B[N][M]) {
  for (int i = 0; i < N; i++) {
    for (int j = 0; j <= i; j++) C[i][j] *= beta;
    for (int k = 0; k < M; k++)
      for (int j = 0; j <= i; j++) C[i][j] += A[j][k] * alpha * B[i][k] + B[j][k] * alpha * A[i][k];
  }
}
