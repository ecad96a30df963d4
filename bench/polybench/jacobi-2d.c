// jacobi-2d of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what jacobi-2d.tc is held against.
#ifndef STEPS
#define STEPS 20
#endif
#ifndef N
#define N 1300
#endif

void jacobi_2d(double A[N][N], double B[N][N]) {
  for (int t = 0; t < STEPS; t++) {
    for (int i = 1; i < N - 1; i++)
      for (int j = 1; j < N - 1; j++) B[i][j] = 0.2 * (A[i][j] + A[i][j - 1] + A[i][j + 1] + A[i + 1][j] + A[i - 1][j]);
    for (int i = 1; i < N - 1; i++)
      for (int j = 1; j < N - 1; j++) A[i][j] = 0.2 * (B[i][j] + B[i][j - 1] + B[i][j + 1] + B[i + 1][j] + B[i - 1][j]);
  }
}
