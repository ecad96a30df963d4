// bicg of PolyBench 4.2 from its definition, at size LARGE unless the sizes are given: what a C compiler makes of it
// is what bicg.tc is held against.
#ifndef M
#define M 1900
#endif
#ifndef N
#define N 2100
#endif

void bicg(double A[N][M], double s[M], double q[N], double p[M], double r[N]) {
  for (int j = 0; j < M; j++) s[j] = 0;
  for (int i = 0; i < N; i++) {
    q[i] = 0;
    for (int j = 0; j < M; j++) {
      s[j] = s[j] + r[i] * A[i][j];
      q[i] = q[i] + A[i][j] * p[j];
    }
  }
}
